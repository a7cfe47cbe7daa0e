/** Scenarios 13 to 15: answers before the request is whole, expectations, interim responses. */
import { describe, expect, test } from "bun:test"
import { comesToRest } from "../faults/quiet.ts"
import { TestBalancer } from "../support/balancer.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend, answer } from "../support/scripted-backend.ts"
import type { BackendConnection, ConnectionHandler } from "../support/scripted-backend.ts"
import { valuesOf } from "../support/messages.ts"
import { Stage, WHOLE, chunked, crowd, cutsOf, sendCut, type Seen } from "./driver.ts"

const MEGABYTES_10 = 10 * 1024 * 1024
const upload = `POST /up HTTP/1.1\r\nHost: x\r\nContent-Length: ${MEGABYTES_10}\r\n\r\n`
const expecting =
  "POST /up HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"

/** Does `answerUp` with a request for /up whose body it has not read; serves others honestly. */
function scripted(answerUp: (connection: BackendConnection) => unknown): ConnectionHandler {
  return async (connection) => {
    for (;;) {
      const { target } = await connection.receiveRequestHead()
      if (target === "/up") await answerUp(connection)
      else await connection.send(answer(200, target))
    }
  }
}

async function facing(handler: ConnectionHandler, clientBody = 5000) {
  const backend = await ScriptedBackend.start(handler)
  const balancer = await TestBalancer.start([backend.port], { timeouts: { clientBody } })
  const client = await RawClient.connect(balancer.port)
  return { backend, balancer, client, [Symbol.dispose]: () => backend.stop() }
}

/** A second client gets its own answer, on a connection of its own when `fresh`. */
async function bystander(setup: { backend: ScriptedBackend; balancer: TestBalancer }) {
  const client = await RawClient.connect(setup.balancer.port)
  const response = await client.exchange("GET /other HTTP/1.1\r\nHost: x\r\n\r\n")
  expect([response.status, response.body.toString()]).toEqual([200, "/other"])
  await client.close()
  await comesToRest(setup.balancer)
}

describe("13: an answer before the body is read", () => {
  const early = [
    ["200 with a length", answer(200, "early")],
    ["413 with a length", answer(413, "early")],
    ["413 in chunks", `HTTP/1.1 413 X\r\nTransfer-Encoding: chunked\r\n\r\n${chunked("early", 2)}`],
    ["413 until the close", "HTTP/1.1 413 X\r\n\r\nearly"],
  ] as const
  const ways = [
    ["keeps its connection", () => {}],
    ["closes it", (connection: BackendConnection) => connection.close()],
    // A close with bytes unread is a reset, and no proper end of a body that ends so.
    ["ends its side", (connection: BackendConnection) => connection.halfClose()],
  ] as const
  const cases = early
    .flatMap(([what, bytes]) => ways.map(([how, then]) => [what, how, bytes, then] as const))
    .filter(([what, how]) => !what.includes("until the close") || how === "ends its side")

  test.each(cases)("%s, from a backend that %s: delivered, not pooled", async (...given) => {
    const [, , bytes, then] = given
    using setup = await facing(
      scripted(async (connection) => {
        await connection.send(bytes)
        await then(connection)
        await new Promise(() => {})
      }),
    )
    const { client } = setup
    void client.send(upload)
    void client.send(Buffer.alloc(MEGABYTES_10))
    const response = await client.receiveResponse()
    expect(response.body.toString()).toBe("early")
    expect(response.field("connection")).toBe("close")
    expect(await client.closed()).toEqual({ by: "end" })
    await client.close()
    await setup.backend.connections[0]?.closed()
    expect(setup.balancer.figure("bunlb_backend_connections", 'state="idle"')).toBe(0)
    await bystander(setup)
    expect(setup.backend.accepted).toBe(2)
  })

  test.each(early.filter(([what]) => !what.includes("close")))(
    "%s, cut at every byte, and the head of the request too",
    async (_what, bytes) => {
      using stage = await Stage.open()
      stage.script = async (connection, { field }) => {
        // The request goes on for ever, so the answer is early whenever it comes.
        await sendCut(connection, bytes, Number(field("x-cut")))
        await connection.closed(Infinity)
      }
      const head = (cut: number): string =>
        `POST /scripted HTTP/1.1\r\nHost: x\r\nX-Cut: ${cut}\r\nContent-Length: 9000\r\n\r\n`
      stage.early = true
      await crowd([WHOLE, ...cutsOf(bytes)], async (cut) => {
        const client = await stage.connect()
        void sendCut(client, `${head(cut)}some`, cut)
        const response = await client.receiveResponse()
        expect([cut, response.body.toString()]).toEqual([cut, "early"])
        expect(response.field("connection")).toBe("close")
        expect((await client.receiveRest()).length).toBe(0)
        await client.close()
      })
      await comesToRest(stage.balancer)
      expect(stage.balancer.figure("bunlb_backend_connections")).toBe(0)
      await stage.bystander()
    },
  )

  test("a client that sends all 10 MB before it reads still reads the answer", async () => {
    using setup = await facing(
      scripted(async (connection) => {
        await connection.send(answer(413, "early"))
        await new Promise(() => {})
      }),
    )
    const { client } = setup
    client.pause()
    void client.send(upload)
    expect(await client.send(Buffer.alloc(MEGABYTES_10))).toBe(true)
    client.resume()
    expect((await client.receiveResponse()).status).toBe(413)
    await client.close()
    await bystander(setup)
  })

  test("a client that never stops sending is cut off", async () => {
    using setup = await facing(
      scripted(async (connection) => {
        await connection.send(answer(413, "early"))
        await new Promise(() => {})
      }),
    )
    const { client } = setup
    void client.send(upload.replace(String(MEGABYTES_10), String(MEGABYTES_10 * 100)))
    expect((await client.receiveResponse()).status).toBe(413)
    while (await client.send(Buffer.alloc(256 * 1024)));
    await comesToRest(setup.balancer)
    expect(setup.balancer.figure("bunlb_bytes_total", "from_client")).toBeLessThan(32 * 2 ** 20)
  })
})

describe("14: Expect: 100-continue", () => {
  const goOn = "HTTP/1.1 100 Continue\r\n\r\n"
  const reading =
    (first: string): ConnectionHandler =>
    async (connection) => {
      for (;;) {
        const { target } = await connection.receiveRequestHead()
        if (target === "/up") {
          await connection.send(first)
          const body = await connection.receiveBytes(4)
          await connection.send(answer(200, body.toString()))
        } else await connection.send(answer(200, target))
      }
    }

  test("the 100 is relayed once, whole and cut at every byte of the request", async () => {
    using setup = await facing(reading(goOn))
    await crowd([WHOLE, ...cutsOf(expecting)], async (cut) => {
      const client = await RawClient.connect(setup.balancer.port)
      void sendCut(client, expecting, cut)
      expect((await client.receiveUntil("\r\n\r\n")).toString()).toBe(goOn)
      await client.send("body")
      const response = await client.receiveResponse()
      expect([response.body.toString(), response.interim]).toEqual(["body", []])
      expect(response.field("connection")).toBeNull()
      await client.close()
    })
    await setup.client.close()
    await bystander(setup)
  })

  test("a client that does not wait is served", async () => {
    using setup = await facing(reading(""))
    const response = await setup.client.exchange(`${expecting}body`)
    expect([response.body.toString(), response.interim]).toEqual(["body", []])
    await setup.client.close()
    await bystander(setup)
    expect(setup.backend.accepted).toBe(1)
  })

  test.each([200, 417, 401])(
    "a final %d instead: relayed, and neither connection is used again",
    async (status) => {
      using setup = await facing(scripted((connection) => connection.send(answer(status, "no"))))
      const { client } = setup
      const response = await client.exchange(expecting)
      expect([response.status, response.field("connection")]).toEqual([status, "close"])
      // What the client sends now is no request, whatever it looks like.
      void client.send("GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
      expect((await client.receiveRest()).length).toBe(0)
      await client.close()
      await setup.backend.connections[0]?.closed()
      await bystander(setup)
      expect(setup.backend.accepted).toBe(2)
      expect(setup.backend.connections[0]?.received.toString()).not.toContain("smuggled")
    },
  )

  test("a client that never sends its body gets 408, the backend a reset", async () => {
    using setup = await facing(
      scripted(async (connection) => {
        await connection.send(goOn)
        await new Promise(() => {})
      }),
      300,
    )
    expect((await setup.client.exchange(expecting)).status).toBe(408)
    expect(await setup.backend.connections[0]?.closed()).toEqual({ by: "reset" })
    await setup.client.close()
    await bystander(setup)
  })

  test("any other expectation is refused with 417, and no backend hears of it", async () => {
    using stage = await Stage.open()
    for (const value of ["x", "100-continue, x", "200-ok", "100-continue;", "100 continue"]) {
      await stage.refuses(expecting.replace("100-continue", value), {
        status: 417,
        reason: "expectation",
      })
    }
  })

  test.each(["100-continue, 100-continue", "100-continue,", ", 100-Continue ,,"])(
    "as a list, %j, it goes on once",
    async (value) => {
      using stage = await Stage.open()
      const request = `${expecting.replace("100-continue", value)}body`
      const check = (seen: Seen): void => {
        expect([valuesOf(seen.fields, "expect"), seen.body]).toEqual([["100-continue"], "body"])
      }
      await stage.serves(request, check, ["POST"])
    },
  )

  test("with a length of 0 nothing is waited for", async () => {
    using stage = await Stage.open()
    const request = expecting.replace("Length: 4", "Length: 0")
    await stage.serves(request, (seen) => expect(seen.body).toBe(""), ["POST"])
  })

  test("an HTTP/1.0 client has no expectations: the field stays here", async () => {
    using stage = await Stage.open()
    const client = await stage.connect()
    await client.exchange(`${expecting.replace("HTTP/1.1", "HTTP/1.0")}body`)
    expect(stage.backend.requests.at(-1)?.field("expect")).toBeNull()
    expect(stage.backend.requests.at(-1)?.body.toString()).toBe("body")
    await client.close()
  })
})

describe("15: interim responses", () => {
  const get = "GET /scripted HTTP/1.1\r\nHost: x\r\n\r\n"
  const early = "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"
  const ok = answer(200, "final")

  test.each([
    ["a length", ok],
    ["chunks", `HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n${chunked("final", 2)}`],
  ])(
    "102 and three 103 are relayed in order before %s, cut at every byte",
    async (_what, final) => {
      using stage = await Stage.open()
      const bytes = `HTTP/1.1 102 Processing\r\n\r\n${early.repeat(3)}${final}`
      let cut = WHOLE
      stage.script = (connection) => sendCut(connection, bytes, cut)
      const client = await stage.connect()
      for (cut of [WHOLE, ...cutsOf(bytes)]) {
        const response = await client.exchange(get)
        expect(response.interim.map(({ status }) => status)).toEqual([102, 103, 103, 103])
        expect([response.status, response.body.toString()]).toEqual([200, "final"])
      }
      await client.close()
      await stage.settled()
      await stage.bystander()
      expect(stage.backend.accepted).toBe(1)
    },
  )

  test("one after the final response costs its connection and reaches nobody", async () => {
    using stage = await Stage.open()
    stage.script = async (connection) => void (await connection.send(ok + early))
    const client = await stage.connect()
    expect((await client.exchange(get)).body.toString()).toBe("final")
    await stage.settled()
    await stage.bystander()
    expect(stage.backend.accepted).toBe(2)
    expect(client.incoming.length).toBe(0)
    await client.close()
  })

  test("with a Content-Length it has no body all the same, and the field goes", async () => {
    using stage = await Stage.open()
    const lying = early.replace("Link: a", "Link: a\r\nContent-Length: 5")
    stage.script = async (connection) => void (await connection.send(lying + ok))
    const client = await stage.connect()
    const response = await client.exchange(get)
    expect(response.interim).toEqual([{ status: 103, fields: [["Link", "a"]] }])
    expect(response.body.toString()).toBe("final")
    await client.close()
    await stage.settled()
    await stage.bystander()
  })

  test("256 are relayed, those beyond are dropped", async () => {
    using stage = await Stage.open()
    let count = 256
    stage.script = async (connection) => void (await connection.send(early.repeat(count) + ok))
    const client = await stage.connect()
    expect((await client.exchange(get)).interim).toHaveLength(256)
    count = 20_000
    const response = await client.exchange(get)
    expect([response.status, response.interim.length]).toEqual([200, 256])
    await client.close()
    await stage.settled()
    await stage.bystander()
  })

  test("an HTTP/1.0 client gets none", async () => {
    using stage = await Stage.open()
    stage.script = async (connection) => void (await connection.send(early + ok))
    const client = await stage.connect()
    const response = await client.exchange(get.replace("1.1", "1.0"))
    expect([response.interim, response.status]).toEqual([[], 200])
    await client.closed()
    await client.close()
    await comesToRest(stage.balancer)
  })
})
