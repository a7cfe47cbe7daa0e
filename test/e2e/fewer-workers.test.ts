/**
 * Reloads to fewer and to more workers, seen by clients that connect meanwhile: none is refused or cut off, and none
 * has to send its first packet twice, which its kernel does after a second.
 */
import { afterAll, expect, setDefaultTimeout } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { onLinux } from "../support/left-out.ts"
import { until } from "../support/until.ts"
import { RunningBackend, RunningBunlb } from "./running-bunlb.ts"

setDefaultTimeout(60_000)

/** A first packet that was lost is sent again after exactly 1,000 ms; a busy machine takes less. */
const RETRY_MS = 950
const folder = mkdtempSync(join(tmpdir(), "bunlb-fewer-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Connects and asks once on a connection of its own. What went wrong, or null. */
async function visit(hostname: string, port: number): Promise<string | null> {
  const began = performance.now()
  let connected = Infinity
  const { promise, resolve } = Promise.withResolvers<string | null>()
  const late = setTimeout(() => resolve("no answer in 10 s"), 10_000)
  Bun.connect({
    hostname,
    port,
    socket: {
      open: (socket) => {
        connected = performance.now() - began
        socket.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
      },
      data: (socket, bytes) => {
        const slow = connected > RETRY_MS ? `connected in ${Math.round(connected)} ms` : null
        resolve(bytes.includes("200 OK") ? slow : "no 200")
        socket.end()
      },
      close: () => resolve("closed without an answer"),
    },
  }).catch((error) => resolve(String(error)))
  const outcome = await promise
  clearTimeout(late)
  return outcome
}

/** Visits without a pause, `at` at a time, until `end`, which tells of the faults. */
function visitors(hostname: string, port: number, at: number) {
  let over = false
  const faults: string[] = []
  const count = { done: 0 }
  const visitor = async (): Promise<void> => {
    while (!over) {
      const fault = await visit(hostname, port)
      count.done++
      if (fault !== null) faults.push(fault)
    }
  }
  const all = Promise.all(Array.from({ length: at }, visitor))
  const end = async (): Promise<string[]> => {
    over = true
    await all
    return faults
  }
  return { count, end }
}

async function start(host: string, backend: RunningBackend, workers: number) {
  const file = join(folder, `${Math.random()}.yaml`)
  const write = (count: number): void =>
    writeFileSync(
      file,
      `host: "${host}"\nport: 0\nadmin: "127.0.0.1:0"\npin: false\nworkers: ${count}\n` +
        `backends: ["127.0.0.1:${backend.port}"]\n`,
    )
  write(workers)
  const bunlb = await RunningBunlb.fromFile(file)
  const workersNow = async (): Promise<number> => (await bunlb.status()).workers.length
  const reload = async (count: number): Promise<void> => {
    write(count)
    const url = `http://127.0.0.1:${bunlb.adminPort}/api/v1/reload`
    const answer = await fetch(url, { method: "POST" })
    if (!answer.ok) throw new Error(await answer.text())
  }
  /** Until those that leave are gone. */
  const settle = (count: number) =>
    until(async () => (await workersNow()) === count, 10_000, "the others to leave")
  return { bunlb, reload, settle }
}

const linux = onLinux("fewer workers", "elsewhere workers share one socket")

for (const [host, target] of [
  ["127.0.0.1", "127.0.0.1"],
  ["::", "::1"],
  ["::", "127.0.0.1"],
] as const) {
  linux(`from four to two, four and one at ${host}, with clients of ${target}`, async () => {
    await using backend = await RunningBackend.start("one")
    const { bunlb, reload, settle } = await start(host, backend, 4)
    await using _bunlb = bunlb
    const clients = visitors(target, bunlb.port, 12)
    for (const count of [2, 4, 1]) {
      const before = clients.count.done
      await until(() => clients.count.done > before + 100, 10_000, "clients")
      await reload(count)
      await settle(count)
    }
    expect(await clients.end()).toEqual([])
    expect(clients.count.done).toBeGreaterThan(500)
  })
}

linux(
  "in quick succession, also after an upgrade, and all workers get their share then",
  async () => {
    await using backend = await RunningBackend.start("one")
    const { bunlb, reload, settle } = await start("127.0.0.1", backend, 5)
    await using _bunlb = bunlb
    const clients = visitors("127.0.0.1", bunlb.port, 12)
    for (const count of [2, 4, 1, 3]) await reload(count)
    await settle(3)
    await bunlb.upgrade()
    for (const count of [2, 4, 1, 3]) await reload(count)
    await settle(3)
    const faults = await clients.end()
    const dial = { hostname: "127.0.0.1", port: bunlb.port, socket: { data() {} } }
    const idle = await Promise.all(Array.from({ length: 60 }, () => Bun.connect(dial)))
    const all = async (): Promise<boolean> =>
      (await bunlb.status()).workers.every(({ clients: count }) => count > 0)
    await until(all, 10_000, "clients of each worker")
    for (const client of idle) client.terminate()
    expect(faults).toEqual([])
  },
)

linux("a worker that is killed while others leave is replaced, and nobody is refused", async () => {
  await using backend = await RunningBackend.start("one")
  const { bunlb, reload, settle } = await start("127.0.0.1", backend, 4)
  await using _bunlb = bunlb
  const clients = visitors("127.0.0.1", bunlb.port, 12)
  const [victim = 0] = await bunlb.workerPids()
  await reload(2)
  process.kill(victim, "SIGKILL")
  await bunlb.process.line(/was killed by SIGKILL/)
  await settle(2)
  await reload(1)
  await settle(1)
  const faults = await clients.end()
  // Each visitor may have been with the one that was killed.
  expect(faults.filter((fault) => fault !== "closed without an answer")).toEqual([])
  expect(faults.length).toBeLessThanOrEqual(12)
})
