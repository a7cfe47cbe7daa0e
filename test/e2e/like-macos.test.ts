/**
 * bunlb where Linux's comforts are missing: no /proc, no direct sockets, no port that two sockets share, no call of
 * the C library that macOS lacks. It starts, balances, reloads, survives its workers and drains all the same.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, setDefaultTimeout, test as everywhere } from "bun:test"
import { isLeftOut, isLinux } from "../support/left-out.ts"
import { BunlbProcess } from "../support/processes.ts"
import { root } from "../support/source.ts"
import { PATIENCE_MS, until } from "../support/until.ts"
import { Load } from "./load.ts"
import { RunningBackend, RunningBunlb } from "./running-bunlb.ts"

setDefaultTimeout(30_000)

const CLIENTS = 16

const built = process.env["BUNLB_TEST_EXECUTABLE"]
const why = built === undefined ? "this is not Linux" : "an executable takes no preload"
const noImitation = isLeftOut("an imitation of macOS", isLinux && built === undefined, why)
const test = everywhere.skipIf(noImitation)

const folder = mkdtempSync(join(tmpdir(), "bunlb-like-macos-"))
afterAll(() => rmSync(folder, { recursive: true }))

const imitation = join(root, "test", "support", "like-macos.ts")
const program = [process.execPath, "--preload", imitation, join(root, "src", "main.ts")]

describe.each([
  ["sp", 1],
  ["mp", 2],
] as const)("mode %s", (mode, workers) => {
  test("under load it reloads and nothing is lost; a drain loses who knocks in the last moment", async () => {
    await using a = await RunningBackend.start("a")
    await using b = await RunningBackend.start("b")
    const file = join(folder, `${mode}.json`)
    const write = (...backends: RunningBackend[]): void => {
      const places = backends.map(({ port }) => `127.0.0.1:${port}`)
      const own = { host: "127.0.0.1", port: 0, admin: "127.0.0.1:0", mode, workers }
      writeFileSync(file, JSON.stringify({ ...own, backends: places }))
    }
    write(a)
    await using bunlb = await RunningBunlb.of(new BunlbProcess([...program, "-c", file], {}))
    const load = new Load(bunlb.port, { clients: CLIENTS, pause: 1 })
    await until(() => load.ok > 200, PATIENCE_MS, "the load")
    write(a, b)
    bunlb.process.kill("SIGHUP")
    await bunlb.process.line(/reloaded: 1 change/)
    const before = load.ok
    await until(() => load.ok > before + 200, PATIENCE_MS, "answers after the reload")
    expect((await bunlb.status()).workers).toHaveLength(workers)
    expect((await bunlb.status()).backends.every(({ requests }) => requests > 0)).toBeTrue()
    expect(load.failures).toEqual([])
    bunlb.process.kill("SIGTERM")
    await load.allRefused()
    // Whoever is in the queue when the last socket closes: nothing there keeps newcomers out of it before.
    expect(load.failures.length).toBeLessThanOrEqual(CLIENTS)
    expect(await bunlb.process.exited()).toBe(0)
  })
})

test("a dead worker's share goes to the other, for both take from one socket", async () => {
  await using backend = await RunningBackend.start("a")
  const flags = ["-h", "127.0.0.1", "-p", "0", "--admin", "127.0.0.1:0", "-m", "mp", "-w", "2"]
  const command = [...program, ...flags, "-b", `127.0.0.1:${backend.port}`]
  await using bunlb = await RunningBunlb.of(new BunlbProcess(command, {}))
  const [first = 0] = await bunlb.workerPids()
  process.kill(first, "SIGKILL")
  for (let i = 0; i < 50; i++) {
    const response = await fetch(`http://127.0.0.1:${bunlb.port}/`, { keepalive: false })
    expect(await response.text()).toBe("a says hello\n")
  }
  await until(async () => (await bunlb.workerPids()).length === 2, PATIENCE_MS, "another worker")
  expect((await bunlb.worker(0)).restarts).toBe(1)
})

test("a start that finds its port taken says how to find out by whom", async () => {
  const taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
  const place = ["-h", "127.0.0.1", "-p", String(taken.port), "--admin", "off", "-b", "127.0.0.1:9"]
  await using bunlb = new BunlbProcess([...program, ...place], {})
  expect(await bunlb.exited()).toBe(1)
  expect(bunlb.stderr).toEqual([expect.stringContaining("`lsof -nP -iTCP:")])
  taken.stop()
})
