/** The folder in which bunlb was started is deleted, replaced or out of reach: bunlb goes on in every way. */
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test"
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { certificates } from "../support/certificates.ts"
import { onLinux, withPrograms } from "../support/left-out.ts"
import { PATIENCE_MS, until } from "../support/until.ts"
import { spawnBunlb } from "../support/processes.ts"
import { RunningBackend, RunningBunlb } from "./running-bunlb.ts"

setDefaultTimeout(40_000)

let base: string
let folder: string
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "bunlb-folder-"))
  folder = join(base, "release1")
  mkdirSync(folder)
})
afterEach(() => rmSync(base, { recursive: true, force: true }))

function configuration(backend: { readonly port: number }, workers: number): string {
  const admin = `admin: "127.0.0.1:0"\npin: false\n`
  return `host: 127.0.0.1\nport: 0\n${admin}workers: ${workers}\nbackends: ["127.0.0.1:${backend.port}"]\n`
}

async function serves(bunlb: RunningBunlb): Promise<void> {
  const { status } = await fetch(`http://127.0.0.1:${bunlb.port}/`)
  expect(status).toBe(200)
}

async function replaceWorkers(bunlb: RunningBunlb): Promise<void> {
  const old = await bunlb.workerPids()
  for (const pid of old) process.kill(pid, "SIGKILL")
  const renewed = async (): Promise<boolean> => {
    const { workers } = await bunlb.status()
    return workers.every(({ state, pid }) => state === "serving" && !old.includes(pid ?? 0))
  }
  await until(renewed, PATIENCE_MS, "other workers to serve")
}

async function reload(bunlb: RunningBunlb): Promise<string> {
  const url = `http://127.0.0.1:${bunlb.adminPort}/api/v1/reload`
  return await (await fetch(url, { method: "POST" })).text()
}

describe("the folder has been deleted", () => {
  test("dead workers are replaced, a reload adds workers, an upgrade works", async () => {
    await using backend = await RunningBackend.start("one")
    const file = join(base, "bunlb.yaml")
    writeFileSync(file, configuration(backend, 1))
    await using bunlb = await RunningBunlb.of(spawnBunlb(["-c", file], { cwd: folder }))
    rmSync(folder, { recursive: true })
    await replaceWorkers(bunlb)
    await serves(bunlb)
    writeFileSync(file, configuration(backend, 3))
    expect(await reload(bunlb)).toContain("workers: 1 -> 3")
    expect((await bunlb.workerPids()).length).toBe(3)
    await bunlb.upgrade()
    await serves(bunlb)
  })

  test("a relative name in it is still told as what it was, not looked for elsewhere", async () => {
    await using backend = await RunningBackend.start("one")
    writeFileSync(join(folder, "bunlb.yaml"), configuration(backend, 1))
    await using bunlb = await RunningBunlb.of(spawnBunlb(["-c", "bunlb.yaml"], { cwd: folder }))
    rmSync(folder, { recursive: true })
    expect(await reload(bunlb)).toContain("config: bunlb.yaml: no such file or folder")
    await serves(bunlb)
  })
})

test("another release takes the folder's place behind a link: a reload reads its files", async () => {
  await using backend = await RunningBackend.start("one")
  const next = join(base, "release2")
  const current = join(base, "current")
  mkdirSync(next)
  writeFileSync(join(folder, "bunlb.yaml"), configuration(backend, 1))
  writeFileSync(join(next, "bunlb.yaml"), configuration(backend, 2))
  symlinkSync("release1", current)
  const options = { cwd: current, env: { PWD: current } }
  await using bunlb = await RunningBunlb.of(spawnBunlb(["-c", "bunlb.yaml"], options))
  rmSync(current)
  symlinkSync("release2", current)
  rmSync(folder, { recursive: true })
  expect(await reload(bunlb)).toContain("workers: 1 -> 2")
  await bunlb.upgrade()
  await serves(bunlb)
})

onLinux("no process stays in the folder", "only Linux tells where a process is")(
  "no process stays in the folder, so that it can be unmounted",
  async () => {
    await using backend = await RunningBackend.start("one")
    await using bunlb = await RunningBunlb.start([backend], ["-w", "1"], { cwd: folder })
    const pids = [bunlb.process.pid, ...(await bunlb.workerPids())]
    expect(pids.map((pid) => readlinkSync(`/proc/${pid}/cwd`))).toEqual(["/", "/"])
  },
)

test("an access log with a relative name is made in the folder of the start", async () => {
  await using backend = await RunningBackend.start("one")
  const flags = ["-w", "1", "--access-log", "json", "--access-log-path", "access.log"]
  await using bunlb = await RunningBunlb.start([backend], flags, { cwd: folder })
  await serves(bunlb)
  const file = Bun.file(join(folder, "access.log"))
  await until(async () => (await file.text()).includes("200"), PATIENCE_MS, "the line")
})

withPrograms("a CA file with a relative name", "openssl")(
  "a CA file with a relative name, added while it runs, is looked for there too",
  async () => {
    await using backend = await RunningBackend.start("one")
    await using bunlb = await RunningBunlb.start([backend], ["-w", "1"], { cwd: folder })
    copyFileSync(certificates().caFile, join(folder, "own.pem"))
    const response = await fetch(`http://127.0.0.1:${bunlb.adminPort}/api/v1/backends`, {
      method: "POST",
      body: JSON.stringify({ backend: "https://127.0.0.1:9,ca=own.pem" }),
    })
    expect([response.status, await response.text()]).toEqual([
      200,
      expect.stringContaining("added"),
    ])
  },
)
