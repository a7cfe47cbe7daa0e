/** What bunlb has taken for a client reaches it, however slowly it reads, and whatever ends the connection. */
import { describe, expect } from "bun:test"
import { createHash } from "node:crypto"
import { comesToRest } from "../faults/quiet.ts"
import { openListeners } from "../../src/net/listeners.ts"
import { AccessLogFile } from "../support/access-log.ts"
import { TestBalancer, type SettingsPart } from "../support/balancer.ts"
import { onLinux } from "../support/left-out.ts"
import { sideBySide } from "../support/side-by-side.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend, type ConnectionHandler } from "../support/scripted-backend.ts"
import { SlowReader } from "../support/slow-reader.ts"
import { shrinkSending } from "../support/socket-buffers.ts"
import { until } from "../support/until.ts"

const test = sideBySide(
  onLinux("delivery to slow readers", "the reader's socket is made of calls of Linux"),
)

const LENGTH = 600_000
const body = Buffer.alloc(LENGTH, "0123456789abcdefghijklmnopqrstuvwxyz")

/** Answers each request with `body` in the framing that its target names. */
const serving: ConnectionHandler = async (connection) => {
  for (;;) {
    const { target } = await connection.receiveRequest()
    if (target === "/close") {
      await connection.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
      await connection.send(body)
      return connection.close()
    }
    if (target === "/chunks") {
      await connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
      for (let at = 0; at < LENGTH; at += 50_000) {
        await connection.send(`c350\r\n${body.toString("latin1", at, at + 50_000)}\r\n`)
      }
      await connection.send("0\r\n\r\n")
    } else {
      await connection.send(`HTTP/1.1 200 OK\r\nContent-Length: ${LENGTH}\r\n\r\n`)
      await connection.send(body)
    }
  }
}

const kinds = [
  ["Connection: close", "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"],
  ["HTTP/1.0", "GET / HTTP/1.0\r\n\r\n"],
  ["a response without a length", "GET /close HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["chunks for HTTP/1.0", "GET /chunks HTTP/1.0\r\n\r\n"],
] as const

const to = ({ path }: AccessLogFile): SettingsPart => ({ accessLog: { format: "json", path } })

/** Of a response: the number of body bytes, and whether they are the right ones. */
function bodyOf(received: Buffer): { bytes: number; same: boolean } {
  const at = received.indexOf("\r\n\r\n") + 4
  const got = received.subarray(at)
  const hash = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex")
  return { bytes: got.length, same: hash(got) === hash(body.subarray(0, got.length)) }
}

describe("41: a response after which the connection closes arrives whole", () => {
  test.each(kinds)(
    "%s: the client pauses for longer than bunlb lingers",
    async (_kind, request) => {
      using backend = await ScriptedBackend.start(serving)
      const balancer = await TestBalancer.start([backend.port])
      const reader = await SlowReader.connect(balancer.port)
      await reader.send(request)
      await reader.receive(1000)
      await Bun.sleep(3000)
      expect(bodyOf(await reader.receiveRest())).toEqual({ bytes: LENGTH, same: true })
      expect(reader.ending).toBe("end")
      reader.close()
      await comesToRest(balancer)
    },
  )

  test("to a client that has half-closed", async () => {
    using backend = await ScriptedBackend.start(serving)
    const balancer = await TestBalancer.start([backend.port], { halfClose: true })
    const reader = await SlowReader.connect(balancer.port)
    await reader.send(kinds[0][1])
    await until(() => backend.requests.length === 1, 2000, "the request")
    await reader.receive(1000)
    reader.halfClose()
    await Bun.sleep(3000)
    expect(bodyOf(await reader.receiveRest())).toEqual({ bytes: LENGTH, same: true })
    reader.close()
    await comesToRest(balancer)
  })

  test("and is logged as whole only when it has arrived", async () => {
    using log = new AccessLogFile()
    using backend = await ScriptedBackend.start(serving)
    const balancer = await TestBalancer.start([backend.port], to(log))
    const reader = await SlowReader.connect(balancer.port)
    await reader.send(kinds[0][1])
    await reader.receive(1000)
    await Bun.sleep(300)
    expect(await log.lines(0)).toHaveLength(0)
    await reader.receiveRest()
    expect((await log.lines(1))[0]).toMatchObject({ status: 200, end: "--" })
    reader.close()
    await comesToRest(balancer)
  })
})

/** When both sides have ended, Bun closes its socket before the client has acknowledged everything. */
const halfClosed = ["that has half-closed", true, false] as const

test.each([
  ["that reads on", false, false] as const,
  ...(process.env.BUNLB_TEST_SOCKETS === "bun" ? [] : [halfClosed]),
  ["for which bytes wait in bunlb", false, true] as const,
])("a client %s and resets before it has everything is gone", async (_what, halfCloses, waits) => {
  using log = new AccessLogFile()
  using backend = await ScriptedBackend.start(serving)
  const { port, fds } = openListeners("127.0.0.1", 0, 1)
  if (waits) shrinkSending(fds[0] ?? -1)
  const settings = { ...to(log), port, halfClose: true }
  const balancer = await TestBalancer.start([backend.port], settings, fds[0])
  const reader = await SlowReader.connect(balancer.port)
  await reader.send(kinds[0][1])
  // What is left fits into the outbox, so that the backend has nothing to do with it.
  await reader.receive(waits ? 450_000 : 1000, 15_000)
  if (halfCloses) reader.halfClose()
  await Bun.sleep(300)
  // With bytes unread a close is a reset.
  reader.close()
  await comesToRest(balancer)
  expect((await log.lines(1))[0]).toMatchObject({ status: 200, end: "CD" })
  expect(balancer.figure("bunlb_client_aborts_total")).toBe(1)
})

describe("a client that acknowledges nothing for client_read", () => {
  test("while its closing connection delivers: it is reset, logged and counted", async () => {
    using log = new AccessLogFile()
    using backend = await ScriptedBackend.start(serving)
    const timeouts = { clientRead: 800 }
    const balancer = await TestBalancer.start([backend.port], { timeouts, ...to(log) })
    const reader = await SlowReader.connect(balancer.port)
    await reader.send(kinds[0][1])
    await until(() => balancer.figure("bunlb_undelivered_responses_total") === 1, 5000, "the end")
    expect(balancer.figure("bunlb_undelivered_responses_total", 'reason="client_read"')).toBe(1)
    expect((await log.lines(1))[0]).toMatchObject({ status: 200, end: "cD" })
    expect(await reader.receiveRest().catch(() => "reset")).toBe("reset")
    await comesToRest(balancer)
  })

  test("is not one that reads steadily, whatever its speed", async () => {
    using backend = await ScriptedBackend.start(serving)
    const balancer = await TestBalancer.start([backend.port], {
      timeouts: { clientRead: 400, clientBody: 400 },
    })
    const reader = await SlowReader.connect(balancer.port)
    await reader.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    for (let at = 0; at < 60; at++) {
      await reader.receive(4096)
      await Bun.sleep(50)
    }
    const head = reader.received.indexOf("\r\n\r\n") + 4
    await reader.receive(LENGTH + head - reader.taken)
    expect(bodyOf(reader.received)).toEqual({ bytes: LENGTH, same: true })
    reader.close()
    await comesToRest(balancer)
  })
})

test("a body may pause for client_body after a response that came before its end was read slowly", async () => {
  using backend = await ScriptedBackend.start(async (connection) => {
    await connection.receiveRequestHead()
    await connection.send(`HTTP/1.1 200 OK\r\nContent-Length: ${LENGTH + 4}\r\n\r\n`)
    await connection.send(body)
    await connection.receiveUntil("rest")
    await connection.send("last")
  })
  const { port, fds } = openListeners("127.0.0.1", 0, 1)
  // So that some of it waits in bunlb.
  shrinkSending(fds[0] ?? -1)
  const settings = { port, timeouts: { clientRead: 400 } }
  const balancer = await TestBalancer.start([backend.port], settings, fds[0])
  const reader = await SlowReader.connect(balancer.port)
  await reader.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n")
  await reader.receive(10)
  await Bun.sleep(50)
  await reader.receive(LENGTH)
  await Bun.sleep(600)
  await reader.send("rest")
  const head = reader.received.indexOf("\r\n\r\n") + 4
  await reader.receive(head + LENGTH + 4 - reader.taken)
  expect(reader.received.toString("latin1").endsWith("last")).toBe(true)
  reader.close()
  await comesToRest(balancer)
})

/** Announces 100 bytes more than come, and ends as `how` says. */
function cutting(how: "end" | "reset", framing: "length" | "chunks"): ConnectionHandler {
  return async (connection) => {
    await connection.receiveRequest()
    const length = LENGTH + 100
    if (framing === "length") {
      await connection.send(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`)
    } else {
      const size = length.toString(16)
      await connection.send(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${size}\r\n`)
    }
    await connection.send(body)
    // What has not left the backend yet is the backend's to lose.
    if (how === "reset") await Bun.sleep(500)
    if (how === "end") await connection.close()
    else connection.reset()
  }
}

describe("42: of a response that its backend cuts, what came arrives", () => {
  test.each([
    ["end", "length", "in the kernel"],
    ["end", "chunks", "in the kernel"],
    ["reset", "length", "in the kernel"],
    ["reset", "chunks", "in the kernel"],
    ["end", "length", "in bunlb, and some unread"],
    ["end", "chunks", "in bunlb, and some unread"],
    ["reset", "length", "in bunlb, and some unread"],
    ["reset", "chunks", "in bunlb, and some unread"],
  ] as const)("%s, %s, waiting %s: and then FIN", async (how, framing, where) => {
    using log = new AccessLogFile()
    using backend = await ScriptedBackend.start(cutting(how, framing))
    const { port, fds } = openListeners("127.0.0.1", 0, 1)
    // So that most of it waits in bunlb, which stops reading the backend then.
    if (where !== "in the kernel") shrinkSending(fds[0] ?? -1)
    const balancer = await TestBalancer.start([backend.port], { ...to(log), port }, fds[0])
    const reader = await SlowReader.connect(balancer.port)
    await reader.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.receive(1000)
    await Bun.sleep(2500)
    const received = await reader.receiveRest()
    const prefix = framing === "chunks" ? `${(LENGTH + 100).toString(16)}\r\n`.length : 0
    const at = received.indexOf("\r\n\r\n") + 4 + prefix
    expect(received.subarray(at).equals(body)).toBe(true)
    expect(reader.ending).toBe("end")
    expect(balancer.figure("bunlb_truncated_responses_total")).toBe(1)
    expect((await log.lines(1))[0]).toMatchObject({ status: 200, end: "SD" })
    reader.close()
    await comesToRest(balancer)
  })

  test("and then a reset where the framing cannot show the cut", async () => {
    using backend = await ScriptedBackend.start(cutting("end", "chunks"))
    const balancer = await TestBalancer.start([backend.port])
    const reader = await SlowReader.connect(balancer.port)
    await reader.send("GET / HTTP/1.0\r\n\r\n")
    await reader.receive(1000)
    await until(() => balancer.figure("bunlb_truncated_responses_total") === 1, 5000, "the cut")
    await Bun.sleep(1000)
    await reader.receiveUntilEnded()
    expect(bodyOf(reader.received)).toEqual({ bytes: LENGTH, same: true })
    expect(reader.ending).toBe("reset")
    await comesToRest(balancer)
  })

  test.each([
    ["1.1", "end", "4\r\nbody\r\n"],
    ["1.0", "reset", "body"],
  ] as const)("up to a malformed chunk, to HTTP/%s: %s", async (version, ending, text) => {
    using backend = await ScriptedBackend.start(async (connection) => {
      await connection.receiveRequest()
      await connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
      await Bun.sleep(50)
      await connection.send("4\r\nbody\r\nnot a chunk\r\n")
    })
    const balancer = await TestBalancer.start([backend.port])
    const reader = await SlowReader.connect(balancer.port)
    await reader.send(`GET / HTTP/${version}\r\nHost: x\r\n\r\n`)
    await reader.receiveUntilEnded()
    expect(reader.received.toString().split("\r\n\r\n")[1]).toBe(text)
    expect(reader.ending).toBe(ending)
    reader.close()
    await comesToRest(balancer)
  })

  test("with the answers before it in a pipeline", async () => {
    using backend = await ScriptedBackend.start(async (connection) => {
      for (;;) {
        const { target } = await connection.receiveRequest()
        if (target === "/cut") {
          await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
          return connection.close()
        }
        await connection.send(`HTTP/1.1 200 OK\r\nContent-Length: ${LENGTH}\r\n\r\n`)
        await connection.send(body)
      }
    })
    const balancer = await TestBalancer.start([backend.port])
    const reader = await SlowReader.connect(balancer.port)
    const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`
    await reader.send(get("/") + get("/cut"))
    const received = await reader.receiveRest()
    expect(received.subarray(-4).toString()).toBe("half")
    expect(received.length).toBeGreaterThan(LENGTH)
    reader.close()
    await comesToRest(balancer)
  })
})

describe("41: a drain", () => {
  test("waits for clients that are still being sent the end of their answer", async () => {
    using backend = await ScriptedBackend.start(serving)
    const balancer = await TestBalancer.start([backend.port])
    const readers: SlowReader[] = []
    for (const [, request] of [...kinds, ["keep-alive", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"]]) {
      const reader = await SlowReader.connect(balancer.port)
      await reader.send(request)
      await reader.receive(1000)
      readers.push(reader)
    }
    let over = false
    const drained = balancer.drain(20_000).finally(() => (over = true))
    await Bun.sleep(3500)
    expect(over).toBe(false)
    for (const reader of readers) {
      expect(bodyOf(await reader.receiveRest())).toEqual({ bytes: LENGTH, same: true })
      reader.close()
    }
    expect(await drained).toBe(0)
  })

  test("that ends before leaves to the kernel what it has, says so, and counts what it cuts", async () => {
    using log = new AccessLogFile()
    using backend = await ScriptedBackend.start(serving)
    const balancer = await TestBalancer.start([backend.port], to(log))
    // All of this one fits into what the kernel keeps, little of the other.
    const roomy = await SlowReader.connect(balancer.port, 128 * 1024)
    const narrow = await SlowReader.connect(balancer.port)
    for (const reader of [roomy, narrow]) {
      await reader.send(kinds[0][1])
      await reader.receive(1000)
    }
    const outcome = await balancer.drainOutcome(1500)
    expect(outcome.cut + outcome.sending).toBe(2)
    for (const line of await log.lines(2)) expect(line).toMatchObject({ status: 200, end: "KD" })
    expect(balancer.figure("bunlb_undelivered_responses_total", 'reason="stop"')).toBe(outcome.cut)
    const whole = await Promise.all(
      [roomy, narrow].map(async (reader) => {
        await reader.receiveUntilEnded()
        return bodyOf(reader.received).bytes === LENGTH
      }),
    )
    expect(whole.filter(Boolean)).toHaveLength(outcome.sending)
  })
})

test("a refusal reaches a client that goes on sending for a while", async () => {
  using backend = await ScriptedBackend.start(serving)
  const balancer = await TestBalancer.start([backend.port])
  const client = await RawClient.connect(balancer.port)
  void client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 2\r\n\r\n")
  for (let sent = 0; sent < 20; sent++) void client.send(Buffer.alloc(1_000_000))
  expect((await client.receiveResponse()).status).toBe(400)
  client.reset()
  await comesToRest(balancer)
})
