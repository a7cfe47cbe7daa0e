/**
 * Upgrades between this version and the first one, which knows one listener, in both directions and under load. Needs
 * executables of both: BUNLB_TEST_EXECUTABLE and BUNLB_TEST_VERSION_1.
 */
import { mkdtempSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { afterAll, expect, setDefaultTimeout, test } from "bun:test"
import { spawnBunlb } from "../support/processes.ts"
import { PATIENCE_MS, until } from "../support/until.ts"
import { refusedPort } from "../support/refused-port.ts"
import { Load } from "./load.ts"
import { RunningBunlb } from "./running-bunlb.ts"

setDefaultTimeout(60_000)

const present = process.env["BUNLB_TEST_EXECUTABLE"]
const first = process.env["BUNLB_TEST_VERSION_1"]
const isLeftOut = present === undefined || first === undefined
if (isLeftOut) console.error("not run: upgrades from and to version 1: no executables are named")

const folder = mkdtempSync(join(tmpdir(), "bunlb-versions-"))
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: () => new Response("whole", { headers: { "x-backend": "one" } }),
})
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await server.stop(true)
})

/** A name that leads to one executable or the other. */
function link(name: string) {
  const path = join(folder, name)
  const lead = (target: string | undefined): void => {
    rmSync(path, { force: true })
    symlinkSync(resolve(target ?? ""), path)
  }
  return { path, lead }
}

const close = { request: () => "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" }

test.skipIf(isLeftOut)("from version 1, to it and back again: nothing is lost", async () => {
  const { path, lead } = link("both")
  lead(first)
  const flags = ["-w", "2", "--drain-timeout", "5s"]
  await using bunlb = await RunningBunlb.start([{ port: server.port ?? 0 }], flags, {
    executable: path,
  })
  const loads = [
    new Load(bunlb.port, { clients: 6, pause: 1 }),
    new Load(bunlb.port, { clients: 6, pause: 1, ...close }),
  ]
  await until(() => loads.every(({ ok }) => ok > 50), PATIENCE_MS, "the load")
  for (const next of [present, first, present, present]) {
    lead(next)
    const pid = await bunlb.upgrade()
    expect(readlinkSync(`/proc/${pid}/exe`)).toBe(resolve(next ?? ""))
    const before = loads.map(({ ok }) => ok)
    await until(() => loads.every(({ ok }, i) => ok > (before[i] ?? 0) + 50), PATIENCE_MS, "more")
  }
  await Promise.all(loads.map((load) => load.stop()))
  expect(loads.map(({ failures, refused }) => [failures, refused])).toEqual([
    [[], 0],
    [[], 0],
  ])
})

test.skipIf(isLeftOut)(
  "several listeners cannot be left to version 1, and nothing changes",
  async () => {
    const { path, lead } = link("refused")
    lead(present)
    const file = join(folder, "several.json")
    const [one, two] = [refusedPort(), refusedPort()]
    const base = { admin: "127.0.0.1:0", backends: [`127.0.0.1:${server.port}`], pin: false }
    const listeners = { one: `127.0.0.1:${one}`, two: `127.0.0.1:${two}` }
    writeFileSync(file, JSON.stringify({ ...base, listeners }))
    await using bunlb = await RunningBunlb.of(spawnBunlb(["-c", file], { executable: path }))
    // What version 1 could read: that of the running one is what counts.
    writeFileSync(file, JSON.stringify({ ...base, host: "127.0.0.1", port: one }))
    lead(first)
    await expect(bunlb.upgrade()).rejects.toThrow("is of version 1, which knows one listener")
    const load = new Load(two, { clients: 1, pause: 1, ...close })
    await until(() => load.ok > 3, PATIENCE_MS, "answers")
    await load.stop()
  },
)
