/** A CA file that changes while bunlb runs: watched, told of, and never worse than before. */
import { afterEach, beforeEach, expect, setDefaultTimeout } from "bun:test"
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { certificates } from "../support/certificates.ts"
import { spawnBunlb } from "../support/processes.ts"
import { PATIENCE_MS, until } from "../support/until.ts"
import { RunningBunlb } from "./running-bunlb.ts"
import { withPrograms } from "../support/left-out.ts"

const test = withPrograms("CA files", "openssl")

setDefaultTimeout(40_000)

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bunlb-ca-"))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** A TLS backend with a certificate of the CA that bunlb is told of first, or of another. */
function tlsBackend(whose: "known" | "other") {
  const { good, unknownCa } = certificates()
  const { cert, key } = whose === "known" ? good : unknownCa
  return Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    tls: { cert, key },
    fetch: () => new Response("ok"),
  })
}

async function started(port: number, ca: string, lines = ""): Promise<RunningBunlb> {
  const file = join(folder, "bunlb.yaml")
  const backend = `backends: ["https://localhost:${port},ca=${ca}"]\nhealth: { interval: 200ms }\n`
  const common = `host: 127.0.0.1\nport: 0\nadmin: "127.0.0.1:0"\nworkers: 2\npin: false\n`
  writeFileSync(file, common + backend + lines)
  return await RunningBunlb.of(spawnBunlb(["-c", file]))
}

const statusOf = async (bunlb: RunningBunlb): Promise<number> =>
  (await fetch(`http://127.0.0.1:${bunlb.port}/`)).status

async function answers(bunlb: RunningBunlb, status: number): Promise<void> {
  const all = async (): Promise<boolean> =>
    (await Promise.all([1, 2, 3, 4].map(() => statusOf(bunlb)))).every((each) => each === status)
  await until(all, PATIENCE_MS, `status ${status}`)
}

async function reload(bunlb: RunningBunlb): Promise<string> {
  const url = `http://127.0.0.1:${bunlb.adminPort}/api/v1/reload`
  return await (await fetch(url, { method: "POST" })).text()
}

test("with watch, a mounted secret whose folder is swapped by a link is taken over", async () => {
  const { caFile, unknownCaFile } = certificates()
  using backend = tlsBackend("other")
  for (const [name, file] of [
    ["..1", caFile],
    ["..2", unknownCaFile],
  ] as const) {
    mkdirSync(join(folder, name))
    copyFileSync(file, join(folder, name, "ca.pem"))
  }
  symlinkSync("..1", join(folder, "..data"))
  symlinkSync("..data/ca.pem", join(folder, "ca.pem"))
  await using bunlb = await started(backend.port ?? 0, join(folder, "ca.pem"), "watch: true\n")
  expect(await statusOf(bunlb)).toBe(502)
  symlinkSync("..2", join(folder, "..tmp"))
  renameSync(join(folder, "..tmp"), join(folder, "..data"))
  await bunlb.process.line(/reload: CA file \S+ca\.pem: other certificates/)
  await answers(bunlb, 200)
  // Whoever asks afterwards is told, once.
  expect(await reload(bunlb)).toMatch(/ca\.pem: other certificates, in effect since 20/)
  expect(JSON.parse(await reload(bunlb))).toMatchObject({ changes: [] })
})

test("a reload says which CA file holds something else, and only then", async () => {
  const { caFile, unknownCaFile } = certificates()
  using backend = tlsBackend("known")
  const ca = join(folder, "ca.pem")
  copyFileSync(unknownCaFile, ca)
  await using bunlb = await started(backend.port ?? 0, ca)
  expect(await statusOf(bunlb)).toBe(502)
  expect(JSON.parse(await reload(bunlb))).toMatchObject({ changes: [] })
  copyFileSync(caFile, ca)
  expect(JSON.parse(await reload(bunlb))).toMatchObject({
    changes: [`CA file ${ca}: other certificates`],
  })
  await answers(bunlb, 200)
  expect(JSON.parse(await reload(bunlb))).toMatchObject({ changes: [] })
})

test("a broken CA file changes nothing, for workers that start later neither", async () => {
  using backend = tlsBackend("known")
  const ca = join(folder, "ca.pem")
  const whole = readFileSync(certificates().caFile, "utf8")
  writeFileSync(ca, whole)
  await using bunlb = await started(backend.port ?? 0, ca, "watch: true\n")
  await answers(bunlb, 200)
  writeFileSync(ca, whole.slice(0, whole.length / 2))
  await bunlb.process.line(/reload: CA file \S+ ends within a certificate/)
  await bunlb.process.line(/not reloaded: everything stays as it was/)
  const old = await bunlb.workerPids()
  for (const pid of old) process.kill(pid, "SIGKILL")
  const renewed = async (): Promise<boolean> => {
    const { workers } = await bunlb.status()
    return workers.every(({ state, pid }) => state === "serving" && !old.includes(pid ?? 0))
  }
  await until(renewed, PATIENCE_MS, "other workers to serve")
  await answers(bunlb, 200)
  rmSync(ca)
  const disable = `http://127.0.0.1:${bunlb.adminPort}/api/v1/backends/localhost:${backend.port}/drain`
  expect((await fetch(disable, { method: "POST" })).status).toBe(200)
  expect((await fetch(disable.replace("/drain", "/enable"), { method: "POST" })).status).toBe(200)
  await answers(bunlb, 200)
  writeFileSync(ca, `\uFEFF${whole}`)
  await bunlb.process.line(/reloaded: nothing has changed/)
})
