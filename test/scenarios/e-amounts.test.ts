/** Scenarios 34 and 35: more connections than there may be, and bodies of every size. */
import { describe, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { comesToRest } from "../faults/quiet.ts"
import { TestBalancer } from "../support/balancer.ts"
import { isLinux } from "../support/left-out.ts"
import { BunlbProcess } from "../support/processes.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend, answer, answering } from "../support/scripted-backend.ts"
import { root } from "../support/source.ts"
import { until } from "../support/until.ts"

const MIB = 2 ** 20
const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

const connect = (port: number, count: number): Promise<RawClient[]> =>
  Promise.all(Array.from({ length: count }, () => RawClient.connect(port)))

describe("34: more connections", () => {
  test("than limits.connections wait in the kernel, and are served when others leave", async () => {
    using backend = await ScriptedBackend.start(answering(() => "a"))
    const balancer = await TestBalancer.start([backend.port], {
      limits: { connections: 5 },
      health: { type: "http", interval: 100, timeout: 1000 },
    })
    const first = await connect(balancer.port, 5)
    for (const client of first) expect((await client.exchange(get)).status).toBe(200)
    const waiting = await connect(balancer.port, 10)
    for (const client of waiting) await client.send(get)
    const began = process.cpuUsage()
    await Bun.sleep(500)
    const { user, system } = process.cpuUsage(began)
    // No busy loop: half a second of waiting costs next to nothing. (A probe each 100 ms is in it.)
    expect((user + system) / 1000).toBeLessThan(250)
    expect(balancer.figure("bunlb_client_connections")).toBe(5)
    expect(waiting.every(({ bytesReceived }) => bytesReceived === 0)).toBe(true)
    expect(balancer.figure("bunlb_probes_total", '"ok"')).toBeGreaterThan(2)
    expect((await first[0]?.exchange(get))?.status).toBe(200)
    for (const client of [...first, ...waiting]) {
      if (!first.includes(client)) expect((await client.receiveResponse()).status).toBe(200)
      await client.close()
    }
    await until(() => balancer.figure("bunlb_client_connections") === 0, 3000, "no client")
    expect(balancer.figure("bunlb_client_connections_total")).toBe(15)
  })

  test("than there are descriptors: those who are in are served, and probes go on", async () => {
    using backend = await ScriptedBackend.start(answering(() => "a"))
    const built = process.env["BUNLB_TEST_EXECUTABLE"]
    const bunlb = built ?? `${process.execPath} ${join(root, "src", "main.ts")}`
    const options = `-m sp -p 0 --admin off --health-interval 100ms -b 127.0.0.1:${backend.port}`
    const command = `ulimit -n 256 && exec ${bunlb} ${options}`
    await using program = new BunlbProcess(["sh", "-c", command], {})
    const [, port] = await program.line(/http:\/\/[\d.]+:(\d+) ->/)
    const clients = await connect(Number(port), 400)
    for (const client of clients) await client.send(get)
    const served = (): RawClient[] => clients.filter(({ bytesReceived }) => bytesReceived > 0)
    await until(() => served().length > 20, 5000, "answers")
    await Bun.sleep(300)
    const inside = served()
    expect(inside.length).toBeWithin(20, 128)
    const began = cpuTicks(program.pid)
    const probesBefore = backend.accepted
    await Bun.sleep(1000)
    expect(cpuTicks(program.pid) - began).toBeLessThan(50)
    expect(backend.accepted).toBeGreaterThan(probesBefore + 4)
    for (const client of inside.slice(0, 10)) {
      await client.receiveResponse()
      expect((await client.exchange(get)).status).toBe(200)
    }
    for (const client of inside) client.reset()
    // The others come in as those before them leave.
    const waiting = new Set(clients.filter((client) => !inside.includes(client)))
    const servedAndLeft = (): boolean => {
      for (const client of waiting) {
        if (client.bytesReceived === 0) continue
        client.reset()
        waiting.delete(client)
      }
      return waiting.size === 0
    }
    await until(servedAndLeft, 8000, "answers for the others")
    expect(program.lines.filter((line) => /unhealthy|error/i.test(line))).toEqual([])
  }, 30_000)

  test("that are reset at once, 2,000 of them, leave nothing behind", async () => {
    using backend = await ScriptedBackend.start(answering(() => "a"))
    const balancer = await TestBalancer.start([backend.port])
    for (let round = 0; round < 20; round++) {
      for (const client of await connect(balancer.port, 100)) client.reset()
    }
    const count = (): number => balancer.figure("bunlb_client_connections_total")
    await until(() => count() === 2000, 5000, "all of them")
    await comesToRest(balancer)
    const client = await RawClient.connect(balancer.port)
    expect((await client.exchange(get)).status).toBe(200)
    await client.close()
  })
})

/** Hundredths of a second of processor time that a process has had. */
function cpuTicks(pid: number): number {
  if (!isLinux) {
    const { stdout } = Bun.spawnSync(["ps", "-o", "time=", "-p", String(pid)])
    const [, minutes, seconds] = /(\d+):([\d.]+)\s*$/.exec(stdout.toString()) ?? []
    return (Number(minutes) * 60 + Number(seconds)) * 100
  }
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1")
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return Number(fields[11]) + Number(fields[12])
}

describe("35: bodies", () => {
  const block = Buffer.alloc(1 * MIB, "bunlb ")
  const BLOCKS = 101
  const hashOfAll = ((): string => {
    const hasher = new Bun.CryptoHasher("sha256")
    for (let i = 0; i < BLOCKS; i++) hasher.update(block)
    return hasher.digest("hex")
  })()

  test("of 101 MiB pass both ways at once as they were", async () => {
    const up = new Bun.CryptoHasher("sha256")
    const down = new Bun.CryptoHasher("sha256")
    let atBackend = 0
    let atClient = 0
    using backend = await ScriptedBackend.start(async (connection) => {
      await connection.receiveRequestHead()
      connection.sink((bytes) => {
        atBackend += bytes.length
        up.update(bytes)
      })
      await connection.send(`HTTP/1.1 200 OK\r\nContent-Length: ${BLOCKS * MIB}\r\n\r\n`)
      for (let i = 1; i < BLOCKS; i++) await connection.send(block)
      // A response that is whole before its request would end both.
      await until(() => atBackend === BLOCKS * MIB, 15_000, "the whole request")
      await connection.send(block)
    })
    const balancer = await TestBalancer.start([backend.port])
    const client = await RawClient.connect(balancer.port)
    await client.send(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${BLOCKS * MIB}\r\n\r\n`)
    await client.receiveUntil("\r\n\r\n")
    client.sink((bytes) => {
      atClient += bytes.length
      down.update(bytes)
    })
    for (let i = 0; i < BLOCKS; i++) await client.send(block)
    await until(() => atBackend + atClient === 2 * BLOCKS * MIB, 15_000, "all bytes")
    expect([up.digest("hex"), down.digest("hex")]).toEqual([hashOfAll, hashOfAll])
    await client.close()
    await comesToRest(balancer)
  }, 30_000)

  test("of 1,000,000 chunks of 1 byte pass each way in little time", async () => {
    const chunks = Buffer.from(`${"1\r\nx\r\n".repeat(1_000_000)}0\r\n\r\n`)
    using backend = await ScriptedBackend.start(async (connection) => {
      await connection.receiveRequestHead()
      const body = await connection.receiveBytes(chunks.length)
      expect(body.equals(chunks)).toBe(true)
      await connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
      await connection.send(chunks)
    })
    const balancer = await TestBalancer.start([backend.port])
    const client = await RawClient.connect(balancer.port)
    await client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    const began = process.cpuUsage()
    void client.send(chunks)
    await client.receiveUntil("\r\n\r\n")
    expect((await client.receiveBytes(chunks.length)).equals(chunks)).toBe(true)
    const { user, system } = process.cpuUsage(began)
    // Both ends are in this process; 2,000,000 chunks at a microsecond each would be 2 s.
    expect((user + system) / 1e6).toBeLessThan(2)
    await client.close()
    await comesToRest(balancer)
  })

  test("of more than 2^32 bytes are announced and begun as such", async () => {
    const size = 5 * 2 ** 30
    using backend = await ScriptedBackend.start(async (connection) => {
      const { field } = await connection.receiveRequestHead()
      expect(field("content-length")).toBe(String(size))
      await connection.receiveBytes(4)
      await connection.send(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\nbegun`)
    })
    const balancer = await TestBalancer.start([backend.port])
    const client = await RawClient.connect(balancer.port)
    await client.send(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${size}\r\n\r\nbody`)
    const head = await client.receiveUntil("\r\n\r\n")
    expect(head.toString()).toContain(`Content-Length: ${size}\r\n`)
    expect((await client.receiveBytes(5)).toString()).toBe("begun")
    client.reset()
    await comesToRest(balancer)
  })

  test("of no byte at all, and of one, in every framing", async () => {
    using backend = await ScriptedBackend.start(async (connection) => {
      for (;;) {
        const { body } = await connection.receiveRequest()
        await connection.send(answer(200, body.toString()))
      }
    })
    const balancer = await TestBalancer.start([backend.port])
    const client = await RawClient.connect(balancer.port)
    const post = "POST / HTTP/1.1\r\nHost: x\r\n"
    for (const [rest, body] of [
      ["Content-Length: 0\r\n\r\n", ""],
      ["Content-Length: 1\r\n\r\na", "a"],
      ["Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ""],
      ["Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", "a"],
      ["\r\n", ""],
    ] as const) {
      expect((await client.exchange(post + rest)).body.toString()).toBe(body)
    }
    await client.close()
  })
})
