/** The instruments themselves: a test that trusts them must not be fooled by them. */
import { afterEach, describe, expect, test } from "bun:test"
import { certificates } from "./certificates.ts"
import { withPrograms } from "./left-out.ts"
import { BunlbProcess, spawnBunlb } from "./processes.ts"
import { RawClient } from "./raw-client.ts"
import { answer, answering, ScriptedBackend } from "./scripted-backend.ts"
import type { ConnectionHandler, ScriptedBackendOptions } from "./scripted-backend.ts"
import { sourceFiles } from "./source.ts"
import { rng, until } from "./until.ts"
import { WireEnded } from "./wire.ts"

const started: ScriptedBackend[] = []
afterEach(() => {
  for (const backend of started.splice(0)) backend.stop()
})

async function backendOf(
  handler: ConnectionHandler,
  options: ScriptedBackendOptions = {},
): Promise<ScriptedBackend> {
  const backend = await ScriptedBackend.start(handler, options)
  started.push(backend)
  return backend
}

/** A client of a backend that sends `bytes` to whoever connects, then does `last`. */
async function clientOf(
  bytes: string,
  last: "end" | "reset" | "stay" = "stay",
): Promise<RawClient> {
  const backend = await backendOf(async (connection) => {
    await connection.send(bytes)
    if (last === "end") await connection.close()
    if (last === "reset") {
      await connection.receiveUntil("seen")
      connection.reset()
    }
  })
  return RawClient.connect(backend.port)
}

const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

describe("raw client", () => {
  test("pipelined answers are read one by one, whatever their framing", async () => {
    const client = await clientOf(
      `${answer(200, "one", "A: 1", "a: 2")}${chunked}3\r\ntwo\r\n0\r\nT: x\r\n\r\n` +
        "HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.0 200 \r\n\r\nthree",
      "end",
    )
    const one = await client.receiveResponse()
    expect([one.status, one.reason, one.version]).toEqual([200, "X", "1.1"])
    expect([one.body.toString(), one.field("a"), one.framing]).toEqual(["one", "1, 2", "length"])
    const two = await client.receiveResponse()
    expect([two.body.toString(), two.framing]).toEqual(["two", "chunked"])
    expect(two.trailers).toEqual([["T", "x"]])
    expect(two.raw.toString()).toEndWith("\r\n3\r\ntwo\r\n0\r\nT: x\r\n\r\n")
    const three = await client.receiveResponse()
    expect([three.body.toString(), three.version, three.framing]).toEqual(["three", "1.0", "close"])
    expect(three.interim).toEqual([{ status: 103, fields: [["Link", "x"]] }])
    expect(await client.closed()).toEqual({ by: "end" })
  })

  test("HEAD, 204, 304 and 101 have no body; what follows is left for the next call", async () => {
    const head = await clientOf("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nnext")
    expect((await head.receiveResponse({ head: true })).body.length).toBe(0)
    expect((await head.receiveBytes(4)).toString()).toBe("next")
    for (const status of [204, 304, 101]) {
      const client = await clientOf(`HTTP/1.1 ${status} X\r\n\r\ntail`)
      expect((await client.receiveResponse()).status).toBe(status)
      expect((await client.receiveBytes(4)).toString()).toBe("tail")
    }
  })

  test.each([
    ["status line", "HTTP/1.1 20 OK\r\n\r\n"],
    ["bare LF", "HTTP/1.1 200 OK\nA: b\r\n\r\n"],
    ["bare LF in a value", "HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n"],
    ["space before the colon", "HTTP/1.1 200 OK\r\nA : b\r\n\r\n"],
    ["folded field", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n"],
    ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na"],
    ["signed length", "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na"],
    ["length and coding", `${chunked.slice(0, -2)}Content-Length: 1\r\n\r\na`],
    ["chunk size", `${chunked}0x1\r\na\r\n0\r\n\r\n`],
    ["chunk end", `${chunked}1\r\nabc0\r\n\r\n`],
  ])("refuses: %s", async (_name, bytes) => {
    const client = await clientOf(bytes)
    await expect(client.receiveResponse()).rejects.toThrow(/MalformedMessage|line|length|chunk/)
  })

  test("a truncated body fails and says how the connection ended", async () => {
    const ended = await clientOf("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "end")
    await expect(ended.receiveResponse()).rejects.toThrow("ended (end) before 9 bytes")
    const reset = await clientOf("HTTP/1.1 200 OK\r\n\r\nhalf", "reset")
    await reset.receiveUntil("half").then(() => reset.send("seen"))
    const error = await reset.receiveRest().catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(WireEnded)
    expect(await reset.closed()).toEqual({ by: "reset" })
  })

  test("silence fails after the limit and shows what had come", async () => {
    const client = await clientOf("HTTP/1.1 200")
    await expect(client.receiveResponse({}, 30)).rejects.toThrow('untaken: "HTTP/1.1 200"')
    await expect(client.closed(30)).rejects.toThrow("waited 30 ms for the end")
  })

  test("sendSplit makes two reads of one message", async () => {
    const sizes: number[] = []
    const backend = await backendOf(async (connection) => {
      connection.sink((bytes) => sizes.push(bytes.length))
    })
    const client = await RawClient.connect(backend.port)
    await client.sendSplit("abcde", 2)
    await until(() => sizes.length === 2, 1000, "two reads")
    expect(sizes).toEqual([2, 3])
  })

  test("a paused reader fills the window, and nothing is lost when it resumes, not even by close", async () => {
    const bytes = rng(7).bytes(6_000_000)
    let sent = false
    const backend = await backendOf(async (connection) => {
      void connection.send(bytes).then((taken) => {
        sent = taken
      })
      await connection.close()
    })
    const client = await RawClient.connect(backend.port)
    client.pause()
    await until(() => backend.accepted === 1, 1000, "the connection")
    await Bun.sleep(20)
    expect(sent).toBe(false)
    client.resume()
    const received = await client.receiveBytes(bytes.length)
    expect(received.equals(bytes)).toBe(true)
    expect(sent).toBe(true)
    expect(await client.closed()).toEqual({ by: "end" })
  })
})

describe("scripted backend", () => {
  test("records requests and connections", async () => {
    const backend = await backendOf(answering((request) => `${request.method} ${request.target}`))
    const client = await RawClient.connect(backend.port)
    const post =
      "POST /a?b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
    expect((await client.exchange(post)).body.toString()).toBe("POST /a?b")
    const head = await client.exchange("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", { head: true })
    expect(head.status).toBe(200)
    const other = await RawClient.connect(backend.port)
    await until(() => backend.accepted === 2, 1000, "the second connection")
    expect(backend.requests.map((each) => each.body.toString())).toEqual(["hi", ""])
    expect(backend.requests[0]?.field("host")).toBe("x")
    expect(backend.connections[0]?.received.toString()).toStartWith(post)
    other.reset()
    expect(await backend.connections[1]?.closed()).toEqual({ by: "reset" })
  })

  test("half-close is seen by the peer, which can still answer", async () => {
    const backend = await backendOf(async (connection) => {
      const all = await connection.receiveRest()
      await connection.send(`got ${all}`)
      await connection.close()
    })
    const client = await RawClient.connect(backend.port)
    await client.send("ping")
    await client.halfClose()
    expect((await client.receiveRest()).toString()).toBe("got ping")
  })

  test("comes back on the same port after stop", async () => {
    const first = await ScriptedBackend.start(answering(() => "first"))
    const client = await RawClient.connect(first.port)
    const ask = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    await client.exchange(ask)
    first.stop()
    expect(await client.closed()).toEqual({ by: "reset" })
    await expect(RawClient.connect(first.port)).rejects.toThrow()
    const second = await backendOf(
      answering(() => "second"),
      { port: first.port },
    )
    const again = await RawClient.connect(second.port)
    expect((await again.exchange(ask)).body.toString()).toBe("second")
  })

  test("what a handler throws is thrown by stop", async () => {
    const backend = await ScriptedBackend.start(async (connection) => {
      await connection.receiveRequest()
    })
    const client = await RawClient.connect(backend.port)
    await client.send("nonsense\r\n\r\n")
    await until(() => backend.failures.length === 1, 1000, "the failure")
    expect(() => backend.stop()).toThrow("request line")
  })
})

describe("certificates", () => {
  const { ca, good, expired, wrongHost, selfSigned, unknownCa } = certificates()
  withPrograms("certificates of openssl", "openssl").each([
    ["good", good, null],
    ["expired", expired, /expired/],
    ["wrong host", wrongHost, /altname|alt|host/i],
    ["self-signed", selfSigned, /self.signed/],
    ["unknown CA", unknownCa, /unable to (verify|get)/],
  ])("%s", async (_name, certificate, fault) => {
    const backend = await backendOf(
      answering(() => "tls"),
      { tls: certificate },
    )
    const client = await RawClient.connect(backend.port, "127.0.0.1", {
      tls: { ca, serverName: "localhost", insecure: true },
    })
    const error = await client.secured()
    if (fault === null) expect(error).toBeNull()
    else expect(error).toMatch(fault)
    const response = await client.exchange("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    expect(response.body.toString()).toBe("tls")
  })
})

test("a test that needs certificates is left out where openssl is missing", () => {
  const asks = /\b(certificates|tlsBackend)\(/
  const bare = sourceFiles("test").filter(
    ({ path, text }) => path.endsWith(".test.ts") && asks.test(text) && !text.includes('"openssl"'),
  )
  // The image has its own reasons not to run, openssl among them.
  expect(bare.map(({ path }) => path)).toEqual(["test/deploy/image.test.ts"])
})

describe("processes", () => {
  test("lines of both outputs, then the exit code", async () => {
    await using shell = new BunlbProcess(["sh", "-c", "echo port 80; echo oops >&2; exit 3"], {})
    expect((await shell.line(/port (\d+)/))[1]).toBe("80")
    expect(await shell.exited()).toBe(3)
    expect([shell.stdout, shell.stderr]).toEqual([["port 80"], ["oops"]])
    await expect(shell.line(/never/)).rejects.toThrow("ended (3) without")
  })

  test("a process that stays is late, and dies with its scope", async () => {
    let pid = 0
    {
      await using shell = new BunlbProcess(["sleep", "60"], {})
      pid = shell.pid
      await expect(shell.exited(20)).rejects.toThrow("still runs")
      await expect(shell.line(/x/, 20)).rejects.toThrow("waited 20 ms")
      await Bun.sleep(25)
    }
    expect(() => process.kill(pid, 0)).toThrow()
  })

  test("bunlb itself, from an executable that is named", async () => {
    await using echo = spawnBunlb(["run", "-p", "1"], { executable: "/bin/echo" })
    await echo.line(/^run -p 1$/)
  })
})

describe("until and rng", () => {
  test("until gives the value, or names what never came", async () => {
    let calls = 0
    expect(await until(() => (++calls > 2 ? "yes" : null), 1000, "three calls")).toBe("yes")
    await expect(until(() => false, 10, "the moon")).rejects.toThrow("in vain for the moon")
  })

  test("the same seed gives the same numbers", () => {
    const draw = (seed: number) => Array.from({ length: 8 }, rng(seed).next)
    expect(draw(1)).toEqual(draw(1))
    expect(draw(1)).not.toEqual(draw(2))
    const dice = rng(3)
    const faces = new Set(Array.from({ length: 200 }, () => dice.between(1, 6)))
    expect([...faces].toSorted()).toEqual([1, 2, 3, 4, 5, 6])
    expect([1, 2]).toContain(dice.pick([1, 2]))
  })
})
