/** Reload and control of the whole program: what is said by file, signal and command is what workers do. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { onLinux } from "../support/left-out.ts"
import { ScriptedBackend, answering } from "../support/scripted-backend.ts"
import { PATIENCE_MS, until } from "../support/until.ts"
import { spawnBunlb } from "../support/processes.ts"
import { RawClient } from "../support/raw-client.ts"
import { reloadStorm } from "./reload-storm.ts"
import { RunningBunlb } from "./running-bunlb.ts"

setDefaultTimeout(60_000)

const folder = mkdtempSync(join(tmpdir(), "bunlb-reload-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function write(name: string, ...lines: readonly string[]): string {
  const file = join(folder, name)
  writeFileSync(file, `${lines.join("\n")}\n`)
  return file
}

const list = (...ports: readonly number[]): string =>
  `backends: [${ports.map((port) => `"127.0.0.1:${port}"`).join(", ")}]`

const named = (name: string) => ScriptedBackend.start(answering(() => name))

async function ask(bunlb: RunningBunlb, cookie = ""): Promise<string> {
  const client = await RawClient.connect(bunlb.port)
  const field = cookie === "" ? "" : `Cookie: ${cookie}\r\n`
  const { body } = await client.exchange(`GET / HTTP/1.1\r\nHost: x\r\n${field}\r\n`)
  await client.close()
  return body.toString()
}

/** Names of the backends that answer, sorted. */
async function answers(bunlb: RunningBunlb): Promise<string> {
  const seen = new Set<string>()
  for (let i = 0; i < 24; i++) seen.add(await ask(bunlb))
  return [...seen].sort().join(" ")
}

/** `bunlb WORDS` about the one that runs: its lines and how it ended. */
async function say(bunlb: RunningBunlb, ...words: readonly string[]) {
  await using command = spawnBunlb([...words, "--admin", `127.0.0.1:${bunlb.adminPort}`])
  const code = await command.exited(15_000)
  return { code, out: command.stdout.join("\n"), complaints: command.stderr.join("\n") }
}

describe.each(["mp", "sp"])("mode %s", (mode) => {
  test("39: reload after reload under load: nothing is lost", async () => {
    const flags = ["--mode", mode, "-w", "2"]
    const outcome = await reloadStorm({ reloads: 15, every: 200, clients: 12, warm: 600, flags })
    expect(outcome.failures).toEqual([])
    expect([...outcome.answers.keys()].sort()).toEqual(["b0", "b1", "b2", "b3"])
    expect(outcome.reloads).toBe(15)
    expect(outcome.received).toBe(outcome.uploaded)
    expect(outcome.polled).toBe("whole")
    expect(outcome.echoes).toBeGreaterThan(100)
    const [before, after] = outcome.memory
    // Both are zero where the kernel does not tell.
    expect(after).toBeLessThanOrEqual(before * 1.5)
  })

  test("39: a bad file changes nothing and is told with its place; the next good one counts", async () => {
    using a = await named("a")
    using b = await named("b")
    const file = write(`bad-${mode}.yaml`, list(a.port))
    await using bunlb = await RunningBunlb.start([], ["-c", file, "--mode", mode, "-w", "2"])
    write(`bad-${mode}.yaml`, list(b.port), "strategy: wheel")
    bunlb.process.kill("SIGHUP")
    await bunlb.process.line(/ERROR reload: config: .*\.yaml:2:\d+: strategy: expected /)
    await bunlb.process.line(/ERROR not reloaded: everything stays as it was/)
    const refused = await say(bunlb, "reload")
    expect(refused).toMatchObject({ code: 2, out: "" })
    expect(refused.complaints).toMatch(/^bunlb: config: .*\.yaml:2:\d+: strategy: expected /)
    expect(await answers(bunlb)).toBe("a")

    write(`bad-${mode}.yaml`, list(b.port), "port: 1")
    expect(await say(bunlb, "reload", "--dry-run")).toEqual({
      code: 0,
      out: [
        `backend 127.0.0.1:${b.port}: added`,
        `backend 127.0.0.1:${a.port}: removed`,
        "would be applied: 2 changes",
      ].join("\n"),
      complaints: "",
    })
    expect(await answers(bunlb)).toBe("a")
    expect((await say(bunlb, "reload")).out).toEndWith("reloaded: 2 changes")
    expect(await answers(bunlb)).toBe("b")
    expect(await bunlb.figure("bunlb_config_reloads_total", 'result="ok"')).toBe(1)
    expect(await bunlb.figure("bunlb_config_reloads_total", 'result="failed"')).toBe(2)
  })
})

const modes = onLinux("a change of mode", "the tests say elsewhere which mode it is")

modes("--watch: a changed file is taken over; what needs a restart is named", async () => {
  using a = await named("a")
  using b = await named("b")
  const file = write("watched.yaml", list(a.port))
  await using bunlb = await RunningBunlb.start([], ["-c", file, "--watch", "-w", "1"])
  write("watched.yaml", list(a.port, b.port), "mode: sp")
  await bunlb.process.line(/WARN +reload: mode: mp -> sp needs `bunlb upgrade` or a restart$/)
  await bunlb.process.line(/reloaded: 1 change$/)
  expect(await answers(bunlb)).toBe("a b")
})

test("workers that start later have the newest word, of the file and of the operator", async () => {
  using a = await named("a")
  using b = await named("b")
  using c = await named("c")
  const file = write("later.yaml", list(a.port))
  await using bunlb = await RunningBunlb.start([], ["-c", file, "-w", "1"])
  write("later.yaml", list(b.port, c.port))
  await say(bunlb, "reload")
  await say(bunlb, "drain", `127.0.0.1:${c.port}`)
  const [pid = 0] = await bunlb.workerPids()
  process.kill(pid, "SIGKILL")
  const replaced = async () =>
    (await bunlb.worker(0)).state === "serving" && (await bunlb.worker(0)).pid !== pid
  await until(replaced, PATIENCE_MS, "the next worker")
  expect(await answers(bunlb)).toBe("b")
})

test("drain --wait, disable, enable, set weight, add, remove and explain", async () => {
  using a = await named("a")
  const { promise: reached, resolve } = Promise.withResolvers<void>()
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  using slow = await ScriptedBackend.start(async (connection) => {
    await connection.receiveRequest()
    resolve()
    await released
    await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow")
  })
  const flags = ["-s", "weighted", "-w", "2", "--health-type", "none"]
  await using bunlb = await RunningBunlb.start([slow, a], flags)
  const [nameA, nameSlow] = [`127.0.0.1:${a.port}`, `127.0.0.1:${slow.port}`]
  const row = async (name: string) =>
    (await bunlb.status()).backends.find((each) => each.name === name)

  const { client, response } = await askUntil(bunlb.port, reached)
  let over = false
  const drained = say(bunlb, "drain", nameSlow, "--wait").finally(() => void (over = true))
  await bunlb.backendIs(slow.port, "draining")
  expect(await answers(bunlb)).toBe("a")
  expect([over, (await row(nameSlow))?.active]).toEqual([false, 1])
  release()
  expect((await response).body.toString()).toBe("slow")
  expect((await drained).out).toEndWith("drained: nothing is in flight")
  await client.close()

  expect((await say(bunlb, "explain")).out).toMatch(/slow|none +draining by hand/)
  await say(bunlb, "disable", nameSlow)
  expect((await row(nameSlow))?.state).toBe("disabled")
  await say(bunlb, "enable", nameSlow)
  expect((await row(nameSlow))?.state).toBe("up")

  using b = await named("b")
  const added = await say(bunlb, "add", `127.0.0.1:${b.port},weight=3`)
  expect(added.out).toContain("not kept: a restart begins with the configuration again")
  expect((await say(bunlb, "set", "weight", nameA, "9")).code).toBe(0)
  expect((await say(bunlb, "remove", nameSlow)).code).toBe(0)
  expect(await answers(bunlb)).toBe("a b")
  const { out } = await say(bunlb, "explain", "--host", "shop.example", "--path", "/a?b&c")
  expect(out).toContain(
    "\nbunlb routes by neither host nor path, so the answer is the same for all",
  )
  expect(out).toMatch(new RegExp(`^${nameA} +75% +healthy, weight 9$`, "m"))
  expect((await say(bunlb, "status")).out).toContain(`by hand, in no file: ${nameA} weight 9`)

  expect(await say(bunlb, "enable", "nobody:80")).toMatchObject({ code: 1, out: "" })
  expect((await say(bunlb, "enable")).complaints).toBe(
    "bunlb: BACKEND is missing: bunlb enable BACKEND... [--save] [--json] [--admin ADDRESS]",
  )
  expect((await say(bunlb, "set", "weight", nameA, "0")).complaints).toContain("from 1 to 1000")
})

test("a token is asked for, and taken from the environment", async () => {
  using a = await named("a")
  const token = "0123456789abcdef"
  await using bunlb = await RunningBunlb.start([a], ["-w", "1", "--admin-token", token])
  const words = ["reload", "--admin", `127.0.0.1:${bunlb.adminPort}`]
  const end = async (env: Record<string, string>) => {
    await using command = spawnBunlb(words, { env })
    return [await command.exited(15_000), command.lines.join("\n")]
  }
  expect(await end({})).toEqual([1, expect.stringContaining("only with its token: --admin-token")])
  expect(await end({ BUNLB_ADMIN_TOKEN: token })).toEqual([0, "reloaded: no changes"])
})

/** Rotations begin at random: asks until a request waits at the backend that `reached` tells of. */
async function askUntil(port: number, reached: Promise<void>) {
  for (;;) {
    const client = await RawClient.connect(port)
    await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    const response = client.receiveResponse()
    const waits = await Promise.race([reached.then(() => true), response.then(() => false)])
    if (waits) return { client, response }
    await client.close()
  }
}
