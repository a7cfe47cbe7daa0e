/** Reloads that change where bunlb listens and with how many workers: doors are opened first and closed last. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { isLeftOut, isLinux } from "../support/left-out.ts"
import { spawnBunlb } from "../support/processes.ts"
import { RawClient } from "../support/raw-client.ts"
import { refusedPort } from "../support/refused-port.ts"
import { PATIENCE_MS, until } from "../support/until.ts"
import { Load } from "./load.ts"
import { RunningBunlb } from "./running-bunlb.ts"

setDefaultTimeout(60_000)

const folder = mkdtempSync(join(tmpdir(), "bunlb-listeners-"))
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  async fetch(request) {
    if (new URL(request.url).pathname === "/slow") await Bun.sleep(400)
    return new Response("whole", { headers: { "x-backend": "one" } })
  },
})
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await server.stop(true)
})

/** A file and the flags of its bunlb; `write` says something else in it. */
async function configured(name: string, said: object) {
  const file = join(folder, `${name}.json`)
  const port = refusedPort()
  const base = {
    ...{ host: "127.0.0.1", port, admin: "127.0.0.1:0", backends: [`127.0.0.1:${server.port}`] },
    ...{ workers: 1, pin: false, health: { interval: "1m" } },
  }
  const write = (more: object): void => writeFileSync(file, JSON.stringify({ ...base, ...more }))
  write(said)
  return { file, port, write: (more: object) => write({ ...said, ...more }) }
}

async function say(adminPort: number, ...words: readonly string[]) {
  await using command = spawnBunlb([...words, "--admin", `127.0.0.1:${adminPort}`])
  const code = await command.exited(15_000)
  return { code, out: command.stdout.join("\n"), complaints: command.stderr.join("\n") }
}

async function answers(port: number, path = "/"): Promise<boolean> {
  try {
    const client = await RawClient.connect(port)
    const { status } = await client.exchange(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
    await client.close()
    return status === 200
  } catch {
    return false
  }
}

const gone = (port: number) =>
  until(async () => !(await answers(port)), PATIENCE_MS, `the end of port ${port}`)

const close = { request: () => "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" }

describe.each(["mp", "sp"])("mode %s", (mode) => {
  test("another port: the new one is open before the old one drains, and nothing is lost", async () => {
    const { file, port, write } = await configured(`move-${mode}`, { mode })
    await using bunlb = await RunningBunlb.fromFile(file)
    const load = new Load(port, { clients: 16, pause: 1 })
    const slow = answers(port, "/slow")
    await until(() => load.ok > 100, PATIENCE_MS, "the load")
    const next = refusedPort()
    write({ port: next })
    expect(await say(bunlb.adminPort, "reload")).toMatchObject({
      code: 0,
      out: `port: ${port} -> ${next}\nreloaded: 1 change`,
    })
    expect(await answers(next)).toBeTrue()
    await load.allRefused()
    expect(load.failures).toEqual([])
    expect(await slow).toBeTrue()
    expect((await bunlb.status()).port).toBe(next)
    expect((await bunlb.status()).backends[0]?.requests).toBeGreaterThanOrEqual(load.ok + 2)

    if (isLeftOut("another host at the same port", isLinux, "two sockets cannot share it")) return
    write({ port: next, host: "0.0.0.0" })
    expect((await say(bunlb.adminPort, "reload")).code).toBe(0)
    expect(await answers(next)).toBeTrue()
    bunlb.process.kill("SIGTERM")
    expect(await bunlb.process.exited()).toBe(0)
    await gone(next)
  })
})

test("a port in use: the reload is refused and changes nothing, not even what it could", async () => {
  const { file, port, write } = await configured("taken", {})
  await using bunlb = await RunningBunlb.fromFile(file)
  const pids = await bunlb.workerPids()
  write({ port: server.port, strategy: "random", workers: 3 })
  for (const words of [["reload", "--dry-run"], ["reload"]]) {
    const { code, complaints } = await say(bunlb.adminPort, ...words)
    expect(code).toBe(1)
    expect(complaints).toContain(`port ${server.port} on 127.0.0.1 is already in use`)
  }
  await bunlb.process.line(/ERROR not reloaded: everything stays as it was$/)
  write({ admin: `127.0.0.1:${server.port}`, workers: 3 })
  expect((await say(bunlb.adminPort, "reload")).complaints).toContain("admin: port")
  expect(await bunlb.workerPids()).toEqual(pids)
  expect(await answers(port)).toBeTrue()
  write({})
  expect((await say(bunlb.adminPort, "reload")).out).toBe("reloaded: no changes")
})

test("more workers, fewer workers, pinned ones, under load: nothing is lost", async () => {
  const { file, port, write } = await configured("crew", {})
  await using bunlb = await RunningBunlb.fromFile(file)
  const kept = new Load(port, { clients: 8, pause: 1 })
  const fresh = new Load(port, { clients: 8, pause: 1, ...close })
  await until(() => kept.ok > 100 && fresh.ok > 100, PATIENCE_MS, "the load")
  const [first] = await bunlb.workerPids()
  const states = async (): Promise<string> =>
    (await bunlb.status()).workers.map(({ state }) => state).join(" ")
  for (const [more, expected] of [
    [{ workers: 3 }, "serving serving serving"],
    [{ workers: 2 }, "serving serving"],
    [{ workers: 2, pin: true }, "serving serving"],
  ] as const) {
    write(more)
    expect((await say(bunlb.adminPort, "reload")).out).toEndWith("reloaded: 1 change")
    const [pid] = await bunlb.workerPids()
    expect(pid === first).toBe(!("pin" in more))
    expect(await answers(port)).toBeTrue()
    await until(async () => (await states()) === expected, PATIENCE_MS, expected)
  }
  const total = kept.ok + fresh.ok
  expect((await bunlb.status()).backends[0]?.requests).toBeGreaterThanOrEqual(total)
  await Promise.all([kept.stop(), fresh.stop()])
  expect([...kept.failures, ...fresh.failures, kept.refused, fresh.refused]).toEqual([0, 0])
})

test("the admin listener moves, with another token, and the log speaks otherwise", async () => {
  const { file, write } = await configured("admin", { workers: 2 })
  await using bunlb = await RunningBunlb.fromFile(file)
  const next = refusedPort()
  const token = "0123456789abcdef"
  write({ admin: `127.0.0.1:${next}`, admin_token: token, log_level: "debug", watch: true })
  const { out } = await say(bunlb.adminPort, "reload")
  expect(out).toEndWith("reloaded: 4 changes")
  expect((await say(next, "reload")).complaints).toContain("only with its token")
  expect((await say(next, "reload", "--admin-token", token)).code).toBe(0)
  const closed = async (): Promise<boolean> =>
    (await say(bunlb.adminPort, "health")).complaints.includes("does not answer")
  await until(closed, PATIENCE_MS, "the end of the old admin listener")
  write({ admin: "off", log_level: "debug", workers: 1 })
  await bunlb.process.line(/reload: admin: \S+ -> off$/)
  await bunlb.process.line(/DEBUG worker 1 \(pid \d+\) exited with code 0/)
})
