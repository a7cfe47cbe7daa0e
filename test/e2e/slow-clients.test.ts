/** Clients that still receive when bunlb, or one of its workers, has to go: they get everything, however it goes. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, setDefaultTimeout } from "bun:test"
import { onLinux } from "../support/left-out.ts"
import { sideBySide } from "../support/side-by-side.ts"
import { ScriptedBackend } from "../support/scripted-backend.ts"
import { SlowReader } from "../support/slow-reader.ts"
import { until } from "../support/until.ts"
import { RunningBunlb } from "./running-bunlb.ts"

setDefaultTimeout(60_000)

const test = sideBySide(onLinux("slow clients", "the reader's socket is made of calls of Linux"))
const folder = mkdtempSync(join(tmpdir(), "bunlb-slow-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const LENGTH = 700_000
const body = Buffer.alloc(LENGTH, "0123456789abcdefghijklmnopqrstuvwxyz")
const requests = [
  "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
  "GET / HTTP/1.0\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
  "GET /close HTTP/1.1\r\nHost: x\r\n\r\n",
]

const big = (): Promise<ScriptedBackend> =>
  ScriptedBackend.start(async (connection) => {
    for (;;) {
      const { target } = await connection.receiveRequest()
      const field = target === "/close" ? "Connection: close" : `Content-Length: ${LENGTH}`
      await connection.send(`HTTP/1.1 200 OK\r\n${field}\r\n\r\n`)
      await connection.send(body)
      if (target === "/close") return connection.close()
    }
  })

function config(file: string, backend: ScriptedBackend, ...lines: readonly string[]): string {
  const path = join(folder, file)
  const place = ["host: 127.0.0.1", "port: 0", 'admin: "127.0.0.1:0"', "pin: false"]
  const backends = `backends: ["127.0.0.1:${backend.port}"]`
  writeFileSync(path, [...place, backends, "health: { type: none }", ...lines, ""].join("\n"))
  return path
}

/** Every kind of request, answered, and only begun to be read. */
async function begun({ port }: RunningBunlb, count = 1): Promise<SlowReader[]> {
  const readers: SlowReader[] = []
  for (let round = 0; round < count; round++) {
    for (const request of requests) {
      const reader = await SlowReader.connect(port)
      await reader.send(request)
      await reader.receive(1000)
      readers.push(reader)
    }
  }
  return readers
}

async function allReceiveAll(readers: readonly SlowReader[]): Promise<void> {
  for (const reader of readers) {
    await reader.receiveUntilEnded()
    const at = reader.received.indexOf("\r\n\r\n") + 4
    expect([reader.taken - at, reader.ending]).toEqual([LENGTH, "end"])
    expect(reader.received.subarray(at).equals(body)).toBe(true)
    reader.close()
  }
}

describe.each([
  ["mp", "direct"],
  ["sp", "direct"],
  ["mp", "bun"],
])("mode %s, sockets %s", (mode, sockets) => {
  const flags = ["--mode", mode, "--sockets", sockets, "-w", "2", "--health-type", "none"]

  test("SIGTERM waits until they have everything", async () => {
    using backend = await big()
    await using bunlb = await RunningBunlb.start([backend], flags)
    const readers = await begun(bunlb)
    bunlb.process.kill("SIGTERM")
    await bunlb.process.line(/SIGTERM: draining/)
    await Bun.sleep(3500)
    await allReceiveAll(readers)
    expect(await bunlb.process.exited()).toBe(0)
    expect(bunlb.process.lines.at(-1)).toContain("drained; nothing was cut")
  })

  test("SIGTERM with a limit that is too short tells the truth about each", async () => {
    using backend = await big()
    await using bunlb = await RunningBunlb.start([backend], [...flags, "--drain-timeout", "1s"])
    const readers = await begun(bunlb)
    bunlb.process.kill("SIGTERM")
    expect(await bunlb.process.exited()).toBe(0)
    const last = bunlb.process.lines.at(-1) ?? ""
    const counted = (pattern: RegExp): number => Number(pattern.exec(last)?.[1] ?? 0)
    const cut = counted(/(\d+) connections? cut/)
    const sending = counted(/(\d+) responses? not received whole/)
    let whole = 0
    for (const reader of readers) {
      await reader.receiveUntilEnded()
      if (reader.taken > LENGTH) whole++
      reader.close()
    }
    expect([cut + sending, last]).toEqual([readers.length, last])
    expect(whole).toBe(sending)
  })

  test("an upgrade leaves them to the old one, which waits", async () => {
    using backend = await big()
    await using bunlb = await RunningBunlb.start([backend], flags)
    const readers = await begun(bunlb)
    await bunlb.upgrade()
    await Bun.sleep(3500)
    await allReceiveAll(readers)
    // The new one keeps the output open, so the old one's last line is its end.
    await bunlb.process.line(/drained; nothing was cut$/)
  })
})

test("41: a reload to fewer workers waits for them", async () => {
  using backend = await big()
  const file = config("fewer.yaml", backend, "workers: 3")
  await using bunlb = await RunningBunlb.fromFile(file)
  const readers = await begun(bunlb, 3)
  config("fewer.yaml", backend, "workers: 1")
  bunlb.process.kill("SIGHUP")
  const workers = async (): Promise<number> => (await bunlb.workerPids()).length
  await until(async () => (await workers()) >= 1, 5000, "the reload")
  await Bun.sleep(3500)
  // Those that stay with their worker keep their connection, and say Connection: close themselves.
  await Promise.all(
    readers.map(async (reader) => {
      const head = reader.received.indexOf("\r\n\r\n") + 4
      await reader.receive(head + LENGTH - reader.taken)
      expect(reader.received.subarray(head).equals(body)).toBe(true)
      reader.close()
    }),
  )
  await until(async () => (await workers()) === 1, 10_000, "the workers that leave")
  expect(bunlb.process.lines.filter((line) => / cut /.test(line))).toEqual([])
})
