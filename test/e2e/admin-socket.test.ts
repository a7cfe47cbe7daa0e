/** bunlb with its admin listener on a unix socket: every command finds it there, and it goes with its process. */
import { afterEach, beforeEach, expect, test } from "bun:test"
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { onLinux } from "../support/left-out.ts"
import { spawnBunlb } from "../support/processes.ts"
import { until } from "../support/until.ts"
import { RunningBackend } from "./running-bunlb.ts"

let folder = ""
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bunlb-socket-"))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** It is not this process's child: nobody else would end it. */
function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL")
  } catch {
    // Gone, as it should be.
  }
}

onLinux("a socket whose process has died", "only Linux can tell")(
  "commands reach it by --admin or BUNLB_ADMIN, and a new bunlb follows a killed one",
  async () => {
    const path = join(folder, "admin.sock")
    const admin = `unix:${path}`
    await using one = await RunningBackend.start("one")
    await using two = await RunningBackend.start("two")
    const name = `127.0.0.1:${one.port}`
    const words = ["-h", "127.0.0.1", "-p", "0", "--admin", admin, "-w", "1", "--no-pin"]
    const start = async () => {
      const bunlb = spawnBunlb([...words, "-b", name, "-b", `127.0.0.1:${two.port}`])
      await bunlb.line(/, admin (unix:\S+)$/, 15_000)
      return bunlb
    }
    const say = async (words: string[], env: Record<string, string> = {}) => {
      await using command = spawnBunlb(words, { env })
      return [await command.exited(), command.lines.join("\n")] as const
    }

    const killed = await start()
    killed.kill("SIGKILL")
    await killed.exited()
    expect(existsSync(path)).toBe(true)
    expect(await say(["health", "--admin", admin])).toEqual([
      1,
      `bunlb: admin ${admin} does not answer: is bunlb running, and with this --admin?`,
    ])

    await using bunlb = await start()
    const at = ["--admin", admin]
    const answers = await Promise.all([
      say(["health"], { BUNLB_ADMIN: admin }),
      say(["status", ...at]),
      say(["status", "--json", ...at]),
      say(["explain", ...at]),
      say(["reload", "--dry-run", ...at]),
    ])
    expect(answers.map(([code]) => code)).toEqual([0, 0, 0, 0, 0])
    expect(answers[0]?.[1]).toBe("healthy")
    expect(answers[1]?.[1]).toContain(name)
    expect(answers[4]?.[1]).toBe("would be applied: no changes")
    expect((await say(["drain", name, "--wait", ...at]))[1]).toContain(
      "drained: nothing is in flight",
    )
    expect((await say(["explain", ...at]))[1]).toContain("draining by hand")
    const [code, upgraded] = await say(["upgrade", ...at])
    expect([code, upgraded]).toEqual([0, expect.stringMatching(/^upgraded: .* PID \d+$/)])
    const heir = Number(/PID (\d+)/.exec(upgraded)?.[1])
    using _ = { [Symbol.dispose]: () => killIfThere(heir) }
    await bunlb.line(/drained; nothing was cut$/, 15_000)
    expect((await say(["status", ...at]))[1]).toContain(`by hand, in no file: ${name} draining`)
    process.kill(heir, "SIGTERM")
    await until(() => !existsSync(path), 15_000, "the end of the socket")
  },
  60_000,
)

test("a reload moves it: to another socket, and to a port", async () => {
  await using one = await RunningBackend.start("one")
  const file = join(folder, "bunlb.yaml")
  const [first, second] = [join(folder, "first.sock"), join(folder, "second.sock")]
  const write = (admin: string): void => {
    const backends = `backends: ["127.0.0.1:${one.port}"]`
    writeFileSync(
      file,
      `host: 127.0.0.1\nport: 0\nworkers: 1\npin: off\n${backends}\nadmin: ${admin}\n`,
    )
  }
  const say = async (words: string[]) => {
    await using command = spawnBunlb(words)
    return [await command.exited(), command.stdout.at(-1)] as const
  }
  write(`unix:${first}`)
  await using bunlb = spawnBunlb(["-c", file])
  await bunlb.line(/, admin unix:/, 15_000)
  write(`unix:${second}`)
  const dry = await say(["reload", "--dry-run", "--admin", `unix:${first}`])
  expect(dry).toEqual([0, "would be applied: 1 change"])
  expect(existsSync(second)).toBe(false)
  expect((await say(["reload", "--admin", `unix:${first}`]))[0]).toBe(0)
  expect(await say(["health", "--admin", `unix:${second}`])).toEqual([0, "healthy"])
  await until(() => !existsSync(first), 15_000, "the first socket to go")
  expect((statSync(second).mode & 0o777).toString(8)).toBe("600")
  write("127.0.0.1:0")
  expect((await say(["reload", "--admin", `unix:${second}`]))[0]).toBe(0)
  await until(() => !existsSync(second), 15_000, "the second socket to go")
}, 60_000)

const client = join(import.meta.dir, "../../src/cli/admin-client.ts")

/** The words of a process of user 65534. */
function stranger(script: string): string[] {
  return ["setpriv", "--reuid=65534", "--clear-groups", process.execPath, "-e", script]
}

function hasStrangers(): boolean {
  if (process.getuid?.() !== 0 || Bun.which("setpriv") === null) return false
  const probe = Bun.spawnSync(stranger(`await import("${client}")`), { stderr: "ignore" })
  return probe.exitCode === 0
}

const strangers = hasStrangers()
if (!strangers) {
  console.warn("skipped: a command of another user needs root, setpriv, and a source all may read")
}

test.if(strangers)("a command of another user is told why it gets no answer", async () => {
  const path = join(folder, "admin.sock")
  chmodSync(folder, 0o755)
  using _ = Bun.listen({ unix: path, socket: { data() {} } })
  chmodSync(path, 0o600)
  const script = `const { askAdmin } = await import("${client}")
    try { await askAdmin({ path: "${path}" }, "/health") } catch (error) { console.log(error.message) }`
  const child = Bun.spawn(stranger(script), { stdout: "pipe", stderr: "inherit", cwd: folder })
  expect(await child.stdout.text()).toBe(
    `admin unix:${path} does not answer: only the user who runs bunlb may open its socket\n`,
  )
})
