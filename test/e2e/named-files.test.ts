/** Everything that takes the name of a file, with names that lead to something else: nothing waits, nothing grows. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { certificates } from "../support/certificates.ts"
import { isLeftOut, isLinux, withPrograms } from "../support/left-out.ts"
import { spawnBunlb } from "../support/processes.ts"
import { RunningBackend, RunningBunlb } from "./running-bunlb.ts"

setDefaultTimeout(30_000)

const able = isLinux && Bun.which("mkfifo") !== null
const leftOut = isLeftOut("files that are none", able, "needs mkfifo, and /dev/zero of Linux")
const describeFiles = leftOut ? describe.skip : describe

let folder: string
let backend: RunningBackend
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "bunlb-named-"))
  if (able) Bun.spawnSync(["mkfifo", join(folder, "pipe"), join(folder, "pipe.yaml")])
  backend = await RunningBackend.start("one")
})
afterAll(async () => {
  await backend[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

const place = ["-h", "127.0.0.1", "-p", "0", "--admin", "off", "-b", "127.0.0.1:9"]

/** What a command says that must end at once by itself. */
async function says(words: readonly string[], env: Readonly<Record<string, string>> = {}) {
  await using bunlb = spawnBunlb(words, { env })
  const code = await bunlb.exited(10_000)
  return { code, text: bunlb.lines.join("\n") }
}

const strange = [
  ["a pipe", () => join(folder, "pipe"), "is a pipe, name a file"],
  ["a device without end", () => "/dev/zero", "is a device, name a file"],
  ["a directory", () => folder, "is a directory, name a file"],
] as const

describeFiles.each(strange)("%s", (_, name, fault) => {
  const caBackend = (): string => `https://127.0.0.1:10,ca=${name()}`

  test("as CA file at the start, at a check, in the environment", async () => {
    for (const command of [["run"], ["check"]]) {
      const { code, text } = await says([...command, ...place, "-b", caBackend()])
      expect([code === 0, text]).toEqual([false, expect.stringContaining(fault)])
    }
    const env = { SSL_CERT_FILE: name() }
    const { code, text } = await says([...place, "-b", "https://127.0.0.1:10"], env)
    expect([code === 0, text]).toEqual([false, expect.stringContaining(fault)])
  })

  test("as CA file of a backend that is added while it runs: refused, and all goes on", async () => {
    await using bunlb = await RunningBunlb.start([backend], ["-w", "1"])
    const response = await fetch(`http://127.0.0.1:${bunlb.adminPort}/api/v1/backends`, {
      method: "POST",
      body: JSON.stringify({ backend: caBackend() }),
    })
    expect(response.ok).toBeFalse()
    expect((await fetch(`http://127.0.0.1:${bunlb.port}/`)).status).toBe(200)
    expect((await bunlb.status()).backends.length).toBe(1)
  })

  test("as CA file in a configuration that is read again: refused, and all goes on", async () => {
    const file = join(folder, "reloaded.yaml")
    const common = `host: 127.0.0.1\nport: 0\nadmin: "127.0.0.1:0"\nworkers: 1\n`
    const good = `  - "127.0.0.1:${backend.port}"\n`
    writeFileSync(file, `${common}backends:\n${good}`)
    await using bunlb = await RunningBunlb.fromFile(file)
    writeFileSync(file, `${common}backends:\n${good}  - "${caBackend()}"\n`)
    bunlb.process.kill("SIGHUP")
    await bunlb.process.line(/not reloaded: everything stays as it was/)
    expect((await fetch(`http://127.0.0.1:${bunlb.port}/`)).status).toBe(200)
  })

  test("as the file that the watcher writes", async () => {
    const { code, text } = await says(["watch", "--track-file", name()])
    expect([code === 0, text]).toEqual([false, expect.stringContaining(fault)])
  })
})

describeFiles("a pipe", () => {
  test("as configuration, by flag, by variable, of every command that reads one", async () => {
    const file = join(folder, "pipe.yaml")
    for (const command of ["run", "check", "watch"]) {
      const { code, text } = await says([command, "-c", file])
      expect([code, text]).toEqual([2, expect.stringContaining("is a pipe, name a file")])
    }
    const { text } = await says(["check"], { BUNLB_CONFIG: file })
    expect(text).toContain("is a pipe, name a file")
  })

  test("in the place of the configuration when it is read again", async () => {
    const file = join(folder, "swapped.yaml")
    const common = `host: 127.0.0.1\nport: 0\nadmin: "127.0.0.1:0"\nworkers: 1\n`
    writeFileSync(file, `${common}backends: ["127.0.0.1:${backend.port}"]\n`)
    await using bunlb = await RunningBunlb.fromFile(file)
    rmSync(file)
    Bun.spawnSync(["mkfifo", file])
    bunlb.process.kill("SIGHUP")
    await bunlb.process.line(/is a pipe, name a file/)
    expect((await fetch(`http://127.0.0.1:${bunlb.port}/`)).status).toBe(200)
  })

  test("as access log without a reader: requests are served, and the end comes in time", async () => {
    const access = ["--access-log", "json", "--access-log-path", join(folder, "pipe")]
    await using bunlb = await RunningBunlb.start([backend], ["-w", "2", ...access])
    const told = bunlb.process.lines.filter((line) => line.includes("that no program reads"))
    expect(told.length).toBe(2)
    expect((await fetch(`http://127.0.0.1:${bunlb.port}/`)).status).toBe(200)
    bunlb.process.kill("SIGUSR1")
    await bunlb.process.line(/SIGUSR1/)
    expect((await fetch(`http://127.0.0.1:${bunlb.port}/`)).status).toBe(200)
    bunlb.process.kill()
    expect(await bunlb.process.exited(15_000)).toBe(0)
  })

  test("in the place of a file of `keepalived --write`", async () => {
    const words = ["--vip", "10.0.0.100/24", "--interface", "eth0", "--peer", "10.0.0.12"]
    const out = mkdtempSync(join(folder, "out-"))
    Bun.spawnSync(["mkfifo", join(out, "keepalived-10.0.0.11.conf")])
    const all = [...words, "--address", "10.0.0.11", "--write", out]
    const { code, text } = await says(["keepalived", ...all])
    expect([code, text]).toEqual([2, expect.stringContaining("is a pipe, name a file")])
  })
})

describeFiles.each([
  ["a socket", () => join(folder, "socket"), "is a socket, name a file or a pipe"],
  ["a directory", () => folder, "is a directory, name a file"],
])("%s as access log", (_, name, fault) => {
  test("is refused at the start and at a check", async () => {
    const socket = Bun.listen({ unix: join(folder, "socket"), socket: { data() {} } })
    const access = ["--access-log", "json", "--access-log-path", name()]
    for (const command of ["run", "check"]) {
      const { code, text } = await says([command, ...place, ...access])
      expect([code === 0, text]).toEqual([false, expect.stringContaining(fault)])
    }
    socket.stop()
  })
})

withPrograms("a damaged CA file", "openssl")(
  "a damaged CA file at the start is told with its fault",
  async () => {
    const file = join(folder, "half.pem")
    const whole = await Bun.file(certificates().caFile).text()
    writeFileSync(file, whole.slice(0, whole.length / 2))
    const { code, text } = await says([...place, "-b", `https://127.0.0.1:10,ca=${file}`])
    expect([code === 0, text]).toEqual([
      false,
      expect.stringContaining("ends within a certificate"),
    ])
  },
)
