/** The test backend through real sockets: what it says must be what came, or every test that uses it is blind. */
import { afterEach, describe, expect, test } from "bun:test"
import { startBackend } from "../../src/demo/backend.ts"
import { patternAt } from "../../src/demo/pattern.ts"
import { BunlbError } from "../../src/core/errors.ts"
import { RawClient } from "../support/raw-client.ts"
import { until } from "../support/until.ts"

type Options = Parameters<typeof startBackend>[0]
type Backend = Awaited<ReturnType<typeof startBackend>>

const started: Backend[] = []
afterEach(() => {
  for (const backend of started.splice(0)) backend.stop()
})

async function backendWith(options: Partial<Options> = {}): Promise<Backend> {
  const defaults = { host: "127.0.0.1", port: 0, name: "b1", delay: 0, failRate: 0, status: 500 }
  const backend = await startBackend({ ...defaults, tls: false, log: null, ...options })
  started.push(backend)
  return backend
}

async function clientWith(options: Partial<Options> = {}): Promise<RawClient> {
  return RawClient.connect((await backendWith(options)).port)
}

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`

test("/ says hello and names the backend", async () => {
  const client = await clientWith()
  const response = await client.exchange(get("/"))
  expect([response.status, response.body.toString()]).toEqual([200, "b1 says hello\n"])
  expect(response.field("x-backend")).toBe("b1")
})

test("/echo gives back target and fields byte for byte, and hashes the body", async () => {
  const client = await clientWith()
  const target = "/echo/../b//%2e%2e/;x\\y?q=%zz&'<>"
  const fields = "HOST: Ex:80\r\nx-B: 1\r\nX-a: 2\r\nX-A: 3\r\nContent-Length: 3\r\n"
  const response = await client.exchange(`PUT ${target} HTTP/1.1\r\n${fields}\r\nabc`)
  expect(JSON.parse(response.body.toString())).toEqual({
    backend: "b1",
    method: "PUT",
    target,
    headers: [
      ["HOST", "Ex:80"],
      ["x-B", "1"],
      ["X-a", "2"],
      ["X-A", "3"],
      ["Content-Length", "3"],
    ],
    bodyLength: 3,
    bodySha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  })
  expect(response.body.toString()).toContain('["X-a", "2"],\n')
})

test("/echo takes a chunked upload without gathering it", async () => {
  const client = await clientWith()
  const piece = Buffer.alloc(1 << 20, "x")
  const chunk = Buffer.concat([Buffer.from("100000\r\n"), piece, Buffer.from("\r\n")])
  await client.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
  const before = process.memoryUsage.rss()
  for (let count = 0; count < 256; count++) {
    await client.send(chunk)
    if (count % 16 === 0) Bun.gc(true)
  }
  await client.send("0\r\n\r\n")
  const { bodyLength } = JSON.parse((await client.receiveResponse()).body.toString())
  expect(bodyLength).toBe(256 << 20)
  expect(process.memoryUsage.rss() - before).toBeLessThan(128 << 20)
})

test("/bytes/N is the foretold pattern over several periods; HEAD tells its length", async () => {
  const client = await clientWith()
  const length = 200_001
  const { body } = await client.exchange(get(`/bytes/${length}`))
  expect(body.length).toBe(length)
  const sha256 = "8b850fa309a624b9cf0d5671c81440122b3f74b6c2c8172dd4366472924861a6"
  expect(new Bun.CryptoHasher("sha256").update(body).digest("hex")).toBe(sha256)
  expect(body.subarray(100_000, 100_050).equals(patternAt(100_000, 50))).toBe(true)
  const head = await client.exchange(get("/bytes/9007199254740991").replace("GET", "HEAD"), {
    head: true,
  })
  expect(head.field("content-length")).toBe("9007199254740991")
  expect((await client.exchange(get("/"))).status).toBe(200)
})

test("/bytes/N waits for a slow reader", async () => {
  const client = await clientWith()
  const before = process.memoryUsage.rss()
  await client.send(get("/bytes/10737418240"))
  await client.receiveUntil("\r\n\r\n")
  client.sink(() => {})
  client.pause()
  await Bun.sleep(50)
  expect(process.memoryUsage.rss() - before).toBeLessThan(64 << 20)
  client.reset()
})

test("/stream sends each event when it happens", async () => {
  const client = await clientWith()
  await client.send(get("/stream?events=2&interval=60"))
  await client.receiveUntil("data: b1 says 1\n\n")
  const first = performance.now()
  await client.receiveUntil("data: b1 says 2\n\n")
  expect(performance.now() - first).toBeGreaterThan(30)
  await client.receiveUntil("0\r\n\r\n")
})

test("/delay and /status do what they are asked; what is not there is 404", async () => {
  const client = await clientWith()
  const begun = performance.now()
  expect((await client.exchange(get("/delay/40"))).body.toString()).toBe("b1 waited 40 ms\n")
  expect(performance.now() - begun).toBeGreaterThan(35)
  expect((await client.exchange(get("/status/418"))).status).toBe(418)
  expect((await client.exchange(get("/status/100"))).status).toBe(400)
  expect((await client.exchange(get("/nope/1"))).status).toBe(404)
  expect((await client.exchange(get("/bytes/-1"))).status).toBe(404)
})

describe("trouble on request", () => {
  test("--fail-rate 0.25 fails every fourth request", async () => {
    const client = await clientWith({ failRate: 0.25, status: 503 })
    const statuses: number[] = []
    for (let count = 0; count < 8; count++) {
      statuses.push((await client.exchange(get("/"))).status)
    }
    expect(statuses).toEqual([200, 200, 200, 503, 200, 200, 200, 503])
  })

  test("--delay comes before every answer", async () => {
    const client = await clientWith({ delay: 40 })
    const begun = performance.now()
    await client.exchange(get("/"))
    expect(performance.now() - begun).toBeGreaterThan(35)
  })

  test("--tls speaks TLS with the embedded certificate", async () => {
    const backend = await backendWith({ tls: true })
    const client = await RawClient.connect(backend.port, "127.0.0.1", {
      tls: { insecure: true, serverName: "localhost" },
    })
    expect(await client.secured()).toMatch(/self.signed/)
    expect((await client.exchange(get("/"))).body.toString()).toBe("b1 says hello\n")
  })

  test("a port in use is one clear line", async () => {
    const { port } = await backendWith()
    const error = await backendWith({ port }).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(BunlbError)
    expect(String(error)).toContain(`127.0.0.1:${port} is already in use; choose another with -p`)
  })

  test("stop frees the port and ends every connection", async () => {
    const backend = await backendWith()
    const client = await RawClient.connect(backend.port)
    await client.send(get("/stream?interval=10000"))
    await client.receiveUntil("says 1")
    backend.stop()
    await client.closed()
    const free = (): boolean => {
      const listener = Bun.listen({
        hostname: "127.0.0.1",
        port: backend.port,
        socket: { data() {} },
      })
      listener.stop(true)
      return true
    }
    await until(() => Promise.try(free).catch(() => false), 1000, "the port")
  })
})
