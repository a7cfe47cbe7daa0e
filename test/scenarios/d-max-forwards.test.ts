/** Beside scenario 27: a field that each hop has to count down, and the request that ends here (RFC 9110 §7.6.2). */
import { describe, expect, test } from "bun:test"
import { comesToRest } from "../faults/quiet.ts"
import { TestBalancer } from "../support/balancer.ts"
import { valuesOf } from "../support/messages.ts"
import { RawClient } from "../support/raw-client.ts"
import { Stage, WHOLE, crowd, cutsOf, sendCut } from "./driver.ts"

const request = (line: string, ...lines: string[]): string =>
  [`${line} HTTP/1.1`, "Host: x", ...lines, "", ""].join("\r\n")
const next = request("GET /next")

describe("Max-Forwards of TRACE and OPTIONS", () => {
  test.each(["TRACE /a", "OPTIONS /a", "OPTIONS *", "OPTIONS http://x"])(
    "%s: is one less at the backend",
    async (line) => {
      using stage = await Stage.open()
      const [method = ""] = line.split(" ")
      for (const [received, sent] of [
        ["1", "0"],
        ["010", "9"],
        ["99999999999999999999", "999999999"],
      ]) {
        const text = request(line, "A: b", `max-forwards:  ${received} `, "C: d")
        await stage.serves(
          text,
          ({ fields }) => expect(valuesOf(fields, "max-forwards")).toEqual([`${sent}`]),
          [method],
        )
      }
    },
  )

  test.each(["", "-1", "one", "1, 2", "1\r\nMax-Forwards: 1"])("%p is refused", async (value) => {
    using stage = await Stage.open()
    const refusal = { status: 400, reason: "max_forwards" }
    for (const method of ["TRACE", "OPTIONS"]) {
      await stage.refuses(request(`${method} /a`, `Max-Forwards: ${value}`), refusal)
    }
  })

  test("passes as it came with any other method", async () => {
    using stage = await Stage.open()
    for (const [method = "", value = ""] of [
      ["GET", "0"],
      ["HEAD", "junk"],
      ["options", "0"],
    ]) {
      const text = request(`${method} /a`, `Max-Forwards: ${value}`)
      const check = ({ fields }: { fields: readonly (readonly [string, string])[] }): void =>
        expect(fields).toContainEqual(["Max-Forwards", value])
      await stage.serves(text, check, [method])
    }
  })

  test("is dropped from trailers", async () => {
    using stage = await Stage.open()
    const head = request("OPTIONS /a", "Transfer-Encoding: chunked")
    const body = "5\r\nhello\r\n0\r\nMax-Forwards: 0\r\nA: b\r\n\r\n"
    await stage.serves(head + body, ({ trailers }) => expect(trailers).toEqual([["A", "b"]]), [
      "OPTIONS",
    ])
  })
})

describe("at Max-Forwards: 0 bunlb answers, and no backend hears of it:", () => {
  const answers: readonly [what: string, text: string, body: string][] = [
    ["OPTIONS", request("OPTIONS *", "Max-Forwards: 0"), ""],
    [
      "OPTIONS with a body",
      `${request("OPTIONS /a", "Max-Forwards: 00", "Content-Length: 5")}hello`,
      "",
    ],
    [
      "OPTIONS with chunks",
      `${request("OPTIONS /a", "Max-Forwards: 0", "Transfer-Encoding: chunked")}5\r\nhello\r\n0\r\n\r\n`,
      "",
    ],
    [
      "OPTIONS with a body that is none",
      `${request("OPTIONS /a", "Max-Forwards: 0", "Transfer-Encoding: chunked")}x\r\n${next}`,
      "",
    ],
    [
      "TRACE",
      request("TRACE /a", "Max-Forwards: 0", "Cookie: a=b", "Via: 1.1 p"),
      "TRACE /a HTTP/1.1\r\nHost: x\r\nMax-Forwards: 0\r\nVia: 1.1 p\r\n\r\n",
    ],
  ]

  test.each(answers)("%s, whole and cut, and the next request", async (what, text, body) => {
    using stage = await Stage.open()
    await stage.bystander()
    const requests = stage.backend.requests.length
    await crowd([WHOLE, ...cutsOf(text)], async (cut) => {
      const client = await stage.connect()
      void sendCut(client, text, cut)
      const response = await client.receiveResponse()
      expect([cut, response.status, response.body.toString()]).toEqual([cut, 200, body])
      // Nobody reads its body, so with one it is the last.
      expect(response.field("connection")).toBe(what.includes("with") ? "close" : null)
      if (what.includes("with")) expect(await client.receiveRest()).toHaveLength(0)
      else expect((await client.exchange(next)).body.toString()).toBe("/next")
      await client.close()
    })
    await comesToRest(stage.balancer)
    const served = what.includes("with") ? 0 : text.length
    expect(stage.backend.requests.length).toBe(requests + served)
    expect(stage.backend.requests.every(({ method }) => method === "GET")).toBe(true)
    expect(stage.balancer.figure("bunlb_requests_total", 'backend=""', 'code="200"')).toBe(
      text.length,
    )
    await stage.bystander()
  })

  test("in line with others, in their order", async () => {
    using stage = await Stage.open()
    const client = await stage.connect()
    const here = request("OPTIONS *", "Max-Forwards: 0")
    await client.send(next + here + next + here)
    const bodies: string[] = []
    for (let i = 0; i < 4; i++) bodies.push((await client.receiveResponse()).body.toString())
    expect(bodies).toEqual(["/next", "", "/next", ""])
    await client.close()
  })

  test("HTTP/1.0", async () => {
    using stage = await Stage.open()
    const client = await stage.connect()
    const response = await client.exchange("OPTIONS * HTTP/1.0\r\nMax-Forwards: 0\r\n\r\n")
    expect([response.status, response.field("connection")]).toEqual([200, "close"])
    expect(await client.receiveRest()).toHaveLength(0)
    await client.close()
  })

  test("with all backends down too", async () => {
    const balancer = await TestBalancer.start([1])
    const client = await RawClient.connect(balancer.port)
    expect((await client.exchange(request("OPTIONS *", "Max-Forwards: 0"))).status).toBe(200)
    await client.close()
  })

  test("a chain of three is walked hop by hop", async () => {
    using stage = await Stage.open()
    const middle = await TestBalancer.start([stage.balancer.port])
    const first = await TestBalancer.start([middle.port])
    const client = await RawClient.connect(first.port)
    const hops: number[] = []
    for (const far of [0, 1, 2, 3]) {
      const response = await client.exchange(request("TRACE /a", `Max-Forwards: ${far}`))
      const body = response.body.toString()
      hops.push(body === "/a" ? -1 : Number(/^Bunlb-Hops: (\d+)/m.exec(body)?.[1] ?? 0))
    }
    // Each names those before it; the third passes on what is left, and the backend answers in its own way.
    expect(hops).toEqual([0, 1, 2, -1])
    await client.close()
  })
})
