/** The access log of one worker: what a line says, who is blamed in which phase, which lines there are. */
import { describe, expect } from "bun:test"
import { AccessLogFile, type LoggedLine } from "../../support/access-log.ts"
import { TestBalancer, type SettingsPart } from "../../support/balancer.ts"
import { RawClient } from "../../support/raw-client.ts"
import { refusedPort } from "../../support/refused-port.ts"
import { ScriptedBackend, answer, answering } from "../../support/scripted-backend.ts"
import type { BackendConnection, ConnectionHandler } from "../../support/scripted-backend.ts"
import { PATIENCE_MS, until } from "../../support/until.ts"
import { sideBySide } from "../../support/side-by-side.ts"

const test = sideBySide()

const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
const upload = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nbody"
const chunked = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
const sized = `HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n${"x".repeat(500)}`

async function logging(
  handler: ConnectionHandler,
  access: SettingsPart["accessLog"] = {},
  more: SettingsPart = {},
) {
  const file = new AccessLogFile()
  const backend = await ScriptedBackend.start(handler)
  const balancer = await TestBalancer.start([backend.port], {
    ...more,
    accessLog: { format: "json", path: file.path, ...access },
  })
  const [client, name] = [await RawClient.connect(balancer.port), `127.0.0.1:${backend.port}`]
  const close = (): void => {
    backend.stop()
    file[Symbol.dispose]()
  }
  return { file, backend, balancer, client, name, [Symbol.dispose]: close }
}

describe("a line", () => {
  test("says what was asked, what was answered, by whom and how long it took", async () => {
    using at = await logging(answering(() => "hello"))
    const head =
      "GET /a?b=1 HTTP/1.1\r\nHost: example.com\r\nReferer: http://r/\r\nUser-Agent: t/1\r\n\r\n"
    const response = await at.client.exchange(head)
    await at.client.exchange(get)
    const [first, second] = await at.file.lines(2)
    expect(first).toEqual({
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      worker: 0,
      client: "127.0.0.1",
      method: "GET",
      target: "/a?b=1",
      version: "HTTP/1.1",
      host: "example.com",
      status: 200,
      bytes_in: head.length,
      bytes_out: response.raw.length,
      dial_ms: expect.any(Number),
      wait_ms: expect.any(Number),
      total_ms: expect.any(Number),
      backend: at.name,
      attempts: 1,
      reused: false,
      end: "--",
      request_id: expect.stringMatching(/^[0-9a-f]{32}$/),
      referer: "http://r/",
      user_agent: "t/1",
    })
    const age = Date.now() - Date.parse(String(first?.["time"]))
    expect(age).toBeWithin(0, 10_000)
    expect(second).toMatchObject({ reused: true, dial_ms: null, user_agent: null, host: "x" })
  })

  test("has the request id that the backend saw, and bytes of bodies both ways", async () => {
    const seen: (string | null)[] = []
    using at = await logging(
      answering((request) => {
        seen.push(request.field("x-request-id"))
        return "y".repeat(100_000)
      }),
    )
    await at.client.send(upload)
    await at.client.exchange("123456")
    const [line] = await at.file.lines(1)
    expect(line).toMatchObject({ method: "POST", bytes_in: upload.length + 6 })
    expect(line?.["request_id"]).toBe(seen[0])
    expect(line?.["bytes_out"]).toBeGreaterThan(100_000)
  })

  test.each([
    ["a head that cannot be read", "BAD\r\n\r\n", "", 400],
    ["a head that does not end", "GET / HTTP/1.1\r\nHost: x\r\nX", "", 408],
    ["a body that cannot be read", `${chunked}z`, "z\r\n", 400],
  ])("of a refusal counts the bytes both ways: %s", async (_what, sent, fault, status) => {
    using at = await logging(
      answering(() => ""),
      {},
      { timeouts: { clientHead: 100 } },
    )
    const response = await at.client.exchange(sent + fault)
    const [line] = await at.file.lines(1)
    expect(response.status).toBe(status)
    expect(line).toMatchObject({ status, bytes_in: sent.length, bytes_out: response.raw.length })
  })

  test("shows the client and the id that a trusted proxy tells of", async () => {
    using at = await logging(
      answering(() => ""),
      {},
      { trustedProxies: ["127.0.0.1"] },
    )
    const told = "X-Forwarded-For: 10.9.9.9, 127.0.0.1\r\nX-Request-Id: mine\r\n\r\n"
    await at.client.exchange(get.replace("\r\n\r\n", `\r\n${told}`))
    expect((await at.file.lines(1))[0]).toMatchObject({ client: "10.9.9.9", request_id: "mine" })
  })

  test("masks what is secret and shows the fields that are asked for", async () => {
    const fields = ["TraceParent", "authorization", "x-none"]
    using at = await logging(
      answering(() => ""),
      { fields, redact: ["token"] },
    )
    const secret = "hush"
    await at.client.exchange(
      `GET /?a=1&Token=${secret} HTTP/1.1\r\nHost: x\r\ntraceparent: 00-ab-cd-01\r\n` +
        `Authorization: Basic ${secret}\r\nReferer: http://r/?token=${secret}\r\n\r\n`,
    )
    const [text = ""] = await at.file.text(1)
    expect(text).not.toContain(secret)
    expect(JSON.parse(text)).toMatchObject({
      target: "/?a=1&Token=***",
      referer: "http://r/?token=***",
      fields: { traceparent: "00-ab-cd-01", authorization: "***" },
    })
  })

  test("is in combined form when that is asked for", async () => {
    using at = await logging(
      answering(() => "hello"),
      { format: "combined" },
    )
    await at.client.exchange('GET /x HTTP/1.1\r\nHost: x\r\nUser-Agent: a"b\\\xe9\r\n\r\n')
    const [text = ""] = await at.file.text(1)
    const parts = [
      /^127\.0\.0\.1 - - \[\d\d\/\w{3}\/\d{4}:\d\d:\d\d:\d\d \+0000\]/,
      /"GET \/x HTTP\/1\.1" 200 \d+ "-" "a\\x22b\\x5C\\xE9"/,
      /127\.0\.0\.1:\d+ [\d.]+\/[\d.]+\/[\d.]+ 1 -- [0-9a-f]{32}$/,
    ]
    expect(text).toMatch(new RegExp(parts.map(({ source }) => source).join(" ")))
  })
})

const reads =
  (what: (connection: BackendConnection) => unknown): ConnectionHandler =>
  async (connection) => {
    await connection.receiveRequest()
    await what(connection)
  }

describe("the end is blamed on", () => {
  const quick: SettingsPart = {
    timeouts: {
      connect: 250,
      responseHead: 250,
      backendBody: 250,
      clientBody: 600,
      clientHead: 250,
    },
    retries: { max: 0 },
  }

  /** The line of one exchange that begins with `sent`. */
  async function lineOf(
    handler: ConnectionHandler,
    sent: string,
    then: (client: RawClient, backend: ScriptedBackend) => unknown = () => {},
  ): Promise<LoggedLine | undefined> {
    using at = await logging(handler, {}, quick)
    await at.client.send(sent)
    await then(at.client, at.backend)
    return (await at.file.lines(1))[0]
  }

  test.each([
    ["a backend that hangs", () => {}, "sH", 504, "no response head in time"],
    ["one that closes", (c: BackendConnection) => c.close(), "SH", 502, "closed before a response"],
    [
      "one that talks rubbish",
      (c: BackendConnection) => c.send("no\r\n\r\n"),
      "SH",
      502,
      "no valid",
    ],
    ["one that stops half way", (c: BackendConnection) => c.send(sized), "sD", 200, "no more"],
    [
      "one that breaks off",
      async (c: BackendConnection) => {
        await c.send(sized)
        await c.close()
      },
      "SD",
      200,
      "cut short",
    ],
  ] as const)("%s", async (_name, act, end, status, error) => {
    const line = await lineOf(reads(act), get)
    expect(line).toMatchObject({ end, status, attempts: 1 })
    expect(line?.["error"]).toContain(error)
  })

  test("backends that cannot be reached", async () => {
    using file = new AccessLogFile()
    const ports = [refusedPort(), refusedPort()]
    const accessLog = { format: "json", path: file.path } as const
    const balancer = await TestBalancer.start(ports, { accessLog })
    await (await RawClient.connect(balancer.port)).exchange(get)
    const [line] = await file.lines(1)
    expect(line).toMatchObject({ end: "SC", status: 502, attempts: 2, dial_ms: null })
  })

  test("a client that leaves: while it waits, while it reads, while it asks", async () => {
    const leave = async (client: RawClient, backend: ScriptedBackend): Promise<void> => {
      await until(() => backend.accepted, PATIENCE_MS, "the dial")
      client.reset()
    }
    const hang = reads(() => {})
    expect(
      await lineOf(
        reads(() => {}),
        get,
        async (client, backend) => {
          await until(() => backend.requests.length, PATIENCE_MS, "the request")
          client.reset()
        },
      ),
    ).toMatchObject({ end: "CH", status: 499, bytes_out: 0 })
    const halfway = async (client: RawClient): Promise<void> => {
      await client.receiveUntil("\r\n\r\n")
      client.reset()
    }
    expect(
      await lineOf(
        reads((c) => c.send(sized)),
        get,
        halfway,
      ),
    ).toMatchObject({
      end: "CD",
      status: 200,
    })
    expect(await lineOf(hang, upload, leave)).toMatchObject({ end: "CR", status: 499 })
  })

  test("a client that is late, or not understood", async () => {
    const hang = reads(() => {})
    expect(await lineOf(hang, upload)).toMatchObject({ end: "cR", status: 408, method: "POST" })
    expect(await lineOf(hang, "GET / HT")).toMatchObject({ end: "cR", status: 408, method: null })
    expect(await lineOf(hang, "GET / HTTP/1.1\r\n\r\n")).toMatchObject({
      end: "PR",
      status: 400,
      method: null,
      target: null,
      backend: null,
      error: "Host is missing",
    })
  })

  test("a stop that could not wait", async () => {
    using at = await logging(reads(() => {}))
    void at.client.send(get).catch(() => {})
    await until(() => at.backend.requests.length, PATIENCE_MS, "the request to arrive")
    await at.balancer.drain(100)
    expect((await at.file.lines(1))[0]).toMatchObject({ end: "KH", status: 0 })
  })

  test("nobody, when the client is the first to end a tunnel", async () => {
    using at = await logging(
      reads(async (connection) => {
        await connection.send("HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        await connection.receiveRest()
        await connection.close()
      }),
    )
    await at.client.send(
      get.replace("\r\n\r\n", "\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"),
    )
    await at.client.receiveResponse()
    await at.client.halfClose()
    await at.client.receiveRest()
    expect((await at.file.lines(1))[0]).toMatchObject({ end: "--", status: 101 })
  })

  test("nobody, when a tunnel ends in good order", async () => {
    using at = await logging(
      reads(async (connection) => {
        await connection.send("HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        await connection.send(await connection.receiveBytes(4))
        await connection.close()
      }),
    )
    await at.client.send(
      get.replace("\r\n\r\n", "\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"),
    )
    await at.client.receiveResponse()
    await at.client.send("ping")
    expect((await at.client.receiveBytes(4)).toString()).toBe("ping")
    await at.client.close()
    const [line] = await at.file.lines(1)
    expect(line).toMatchObject({ end: "--", status: 101 })
    expect(line?.["bytes_in"]).toBe(
      get.length + "Connection: Upgrade\r\nUpgrade: echo\r\n".length + 4,
    )
  })
})

test("a request sent again counts its attempts and names the backend that answered", async () => {
  using file = new AccessLogFile()
  using good = await ScriptedBackend.start(answering(() => "ok"))
  const accessLog = { format: "json", path: file.path } as const
  const balancer = await TestBalancer.start([refusedPort(), good.port], { accessLog })
  const client = await RawClient.connect(balancer.port)
  for (let i = 0; i < 2; i++) await client.exchange(get)
  const attempts = (await file.lines(2)).map((line) => line["attempts"])
  expect(attempts.toSorted()).toEqual([1, 2])
  for (const line of await file.lines(2)) {
    expect(line).toMatchObject({ backend: `127.0.0.1:${good.port}`, end: "--" })
  }
})

describe("which lines there are", () => {
  const byTarget: ConnectionHandler = async (connection) => {
    for (;;) {
      const { target } = await connection.receiveRequest()
      const [, status = "200", delay = "0"] = target.split("/")
      await Bun.sleep(Number(delay))
      await connection.send(answer(Number(status)))
    }
  }

  async function targets(
    access: SettingsPart["accessLog"],
    asked: readonly string[],
    count: number,
  ): Promise<unknown[]> {
    using at = await logging(byTarget, access)
    for (const target of asked) await at.client.exchange(get.replace("/", target))
    await at.balancer.drain(0)
    return (await at.file.lines(count)).map((line) => line["target"])
  }

  const asked = ["/200", "/404", "/500", "/200/80", "/503"]

  test("those of a status and above, and the slow ones", async () => {
    expect(await targets({ minStatus: 500 }, asked, 2)).toEqual(["/500", "/503"])
    expect(await targets({ minStatus: 503, slowerThan: 60 }, asked, 2)).toEqual(["/200/80", "/503"])
  })

  test("a sample, and with a rule a sample of the rest", async () => {
    const many = Array.from({ length: 20 }, (_, i) => `/200?${i}`)
    expect(await targets({ samplePercent: 10 }, many, 2)).toEqual(["/200?9", "/200?19"])
    const some = await targets({ samplePercent: 25, minStatus: 500 }, [...asked, ...asked], 5)
    expect(some.filter((target) => target === "/500" || target === "/503")).toHaveLength(4)
    expect(some).toHaveLength(5)
  })
})

test("it is switched on, moved and switched off while connections are open", async () => {
  using at = await logging(
    answering(() => ""),
    { format: "off" },
  )
  const other = `${at.file.path}.2`
  const asks = (name: string) => at.client.exchange(get.replace("/", `/${name}`))
  const configured = (access: SettingsPart["accessLog"]): Promise<void> =>
    at.balancer.apply([at.backend.port], { accessLog: { format: "json", ...access } })
  await asks("off")
  await configured({ path: at.file.path })
  await asks("on")
  await configured({ path: other })
  await asks("moved")
  expect(configured({ path: `${at.file.folder}/none/x` })).rejects.toThrow("no such file")
  await asks("kept")
  await configured({ format: "off" })
  await asks("off-again")
  expect((await at.file.lines(1)).map(({ target }) => target)).toEqual(["/on"])
  expect((await at.file.lines(2, other)).map(({ target }) => target)).toEqual(["/moved", "/kept"])
})

test("while it is off there is no record and no figure but zero", async () => {
  using backend = await ScriptedBackend.start(answering(() => ""))
  const balancer = await TestBalancer.start([backend.port])
  await (await RawClient.connect(balancer.port)).exchange(get)
  expect(balancer.figure("bunlb_access_log_dropped_total")).toBe(0)
})
