/** A POST is never sent twice, whatever dies: every one is counted where it arrives. */
import { afterAll, expect, setDefaultTimeout, test } from "bun:test"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { BunlbProcess } from "../support/processes.ts"
import { until } from "../support/until.ts"
import { Load } from "./load.ts"
import { RunningBunlb } from "./running-bunlb.ts"

setDefaultTimeout(60_000)

const LIMIT_MS = 30_000
const folder = mkdtempSync(join(tmpdir(), "bunlb-posts-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const script = join(import.meta.dir, "counting-backend.ts")

class CountingBackend implements AsyncDisposable {
  port = 0
  readonly #file: string
  #process: BunlbProcess | null = null

  constructor(name: string) {
    this.#file = join(folder, name)
    writeFileSync(this.#file, "")
  }

  async start(): Promise<this> {
    const command = [process.execPath, script, String(this.port), this.#file]
    this.#process = new BunlbProcess(command, {})
    this.port = Number((await this.#process.line(/^listening on (\d+)$/))[1])
    return this
  }

  async kill(): Promise<void> {
    this.#process?.kill("SIGKILL")
    await this.#process?.exited()
  }

  get received(): string[] {
    return readFileSync(this.#file, "utf8").split("\n").filter(Boolean)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process?.[Symbol.asyncDispose]()
  }
}

const post = (id: number): string =>
  `POST / HTTP/1.1\r\nHost: load\r\nX-Id: ${id}\r\nContent-Length: 4\r\n\r\nbody`

test("3,000 POSTs while backends die and connections go stale: each arrives once at most", async () => {
  await using one = await new CountingBackend("one").start()
  await using two = await new CountingBackend("two").start()
  await using three = await new CountingBackend("three").start()
  const flags = ["-w", "2", "--health-interval", "100ms", "--health-type", "tcp"]
  await using bunlb = await RunningBunlb.start([one, two, three], flags)
  const load = new Load(bunlb.port, { clients: 24, pause: 2, request: post })
  for (const victim of [one, two, three]) {
    const target = load.ok + 1_000
    await until(() => load.ok > target, LIMIT_MS, "a thousand answers")
    await victim.kill()
    await bunlb.backendIs(victim.port, "down")
    await victim.start()
    await bunlb.backendIs(victim.port, "up")
  }
  await load.stop()

  const received = [one, two, three].flatMap((backend) => backend.received)
  expect(new Set(received).size).toBe(received.length)
  expect(received.length).toBeGreaterThanOrEqual(load.ok)
  // Sent to one that died over it: nobody can know how far it came, and the client is told so.
  expect(new Set(load.failures.map(({ how }) => how))).toEqual(new Set(["status 502"]))
  expect(received.length).toBeLessThanOrEqual(load.ok + load.failures.length)
  expect(load.failures.length).toBeLessThanOrEqual(3 * 24)
})
