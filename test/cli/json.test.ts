/** `--json` of every command that has facts to tell, and changes of several backends in one command. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { commands } from "../../src/cli/commands.ts"
import { specOf } from "../../src/cli/command.ts"
import { RunningBunlb } from "../e2e/running-bunlb.ts"
import { spawnBunlb } from "../support/processes.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend } from "../support/scripted-backend.ts"
import { PATIENCE_MS, until } from "../support/until.ts"
import { bunlb, type Said } from "./fake-terminal.ts"

describe("a running bunlb", () => {
  let backend: Bun.Server<undefined>
  let running: RunningBunlb
  let names: string[] = []
  const say = async (...words: string[]): Promise<Said> =>
    await bunlb([...words, "--admin", `127.0.0.1:${running.adminPort}`])

  beforeAll(async () => {
    backend = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("ok") })
    const ports = [backend.port ?? 0, 9, 10]
    names = ports.map((port) => `127.0.0.1:${port}`)
    const flags = ["-m", "sp", "--health-type", "none"]
    running = await RunningBunlb.start(
      ports.map((port) => ({ port })),
      flags,
    )
  })
  afterAll(async () => {
    await running[Symbol.asyncDispose]()
    await backend.stop(true)
  })

  test("every command that asks a running bunlb has --json", async () => {
    const all = await Promise.all(Object.values(commands).map(async (each) => specOf(await each())))
    const asking = all.filter(({ name, flags }) => {
      return name !== "watch" && flags.some(({ help }) => help.startsWith("Admin listener"))
    })
    expect(asking.length).toBeGreaterThan(8)
    const without = asking.filter(({ flags }) => !flags.some((flag) => flag.name === "json"))
    expect(without.map(({ name }) => name)).toEqual([])
  })

  test("status, health and explain", async () => {
    const status = JSON.parse((await say("status", "--json")).out)
    expect(status.backends).toBeArrayOfSize(3)
    const health = await say("health", "--json")
    expect([health.code, JSON.parse(health.out)]).toEqual([
      0,
      expect.objectContaining({ healthy: true, status: 200 }),
    ])
    const explained = JSON.parse((await say("explain", "--json")).out)
    expect(explained).toMatchObject({ strategy: "round_robin", verdicts: expect.any(Array) })
  })

  test("several backends in one command: what is refused keeps none of the others", async () => {
    const [a = "", b = "", c = ""] = names
    const drained = await say("drain", b, "127.0.0.1:1", c)
    expect(drained.code).toBe(1)
    expect(drained.complaints).toContain("127.0.0.1:1")
    expect(drained.complaints.split("\n")).toBeArrayOfSize(1)
    const states = async (): Promise<Record<string, string>> =>
      Object.fromEntries((await running.status()).backends.map(({ name, state }) => [name, state]))
    expect(await states()).toMatchObject({ [a]: "up", [b]: "draining", [c]: "draining" })
    const enabled = await say("enable", b, c, "--json")
    expect(JSON.parse(enabled.out).changes).toBeArrayOfSize(2)
    expect(await states()).toMatchObject({ [b]: "up", [c]: "up" })
    const added = await say("add", "127.0.0.1:11", "127.0.0.1:12")
    expect(added.out.match(/not kept/g)).toBeArrayOfSize(1)
    expect((await say("remove", "127.0.0.1:11", "127.0.0.1:12")).code).toBe(0)
    expect(Object.keys(await states())).not.toContain("127.0.0.1:11")
    expect(JSON.parse((await say("reload", "--dry-run", "--json")).out)).toMatchObject({
      changes: expect.any(Array),
    })
  })

  test("without a backend it is missing, and nothing is asked", async () => {
    for (const name of ["drain", "enable", "disable", "remove"]) {
      const { code, complaints } = await say(name)
      expect([code, complaints]).toEqual([
        2,
        expect.stringContaining(`BACKEND is missing: bunlb ${name} BACKEND...`),
      ])
    }
  })
})

test("drain --wait of several tells what is in flight, as it becomes less", async () => {
  const release = new Map<string, () => void>()
  const slow = async (name: string): Promise<ScriptedBackend> =>
    await ScriptedBackend.start(async (connection) => {
      await connection.receiveRequest()
      await new Promise<void>((resolve) => void release.set(name, resolve))
      await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    })
  using one = await slow("one")
  using two = await slow("two")
  const flags = ["-m", "sp", "--health-type", "none"]
  const quick = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("ok") })
  await using running = await RunningBunlb.start([one, two, { port: quick.port ?? 0 }], flags)
  const ask = async (): Promise<RawClient> => {
    const client = await RawClient.connect(running.port)
    void client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    return client
  }
  // They take turns: one for each.
  const clients = [await ask(), await ask(), await ask()]
  await until(() => release.size === 2, PATIENCE_MS, "a request at each")
  const [nameOne, nameTwo] = [one, two].map(({ port }) => `127.0.0.1:${port}`)
  const admin = ["--admin", `127.0.0.1:${running.adminPort}`]
  await using drain = spawnBunlb(["drain", nameOne ?? "", nameTwo ?? "", "--wait", ...admin])
  await drain.line(new RegExp(`^draining: ${nameOne} 1, ${nameTwo} 1 in flight$`))
  release.get("one")?.()
  await drain.line(new RegExp(`^draining: ${nameTwo} 1 in flight$`))
  release.get("two")?.()
  await drain.line(/^drained: nothing is in flight$/)
  expect(await drain.exited()).toBe(0)
  for (const client of clients) client.reset()
  await quick.stop(true)
})

test("check: its warnings and settings, secrets masked, or its errors", async () => {
  const fine = await bunlb([
    "check",
    "-b",
    "a:80",
    "--json",
    "--admin-token",
    "a-long-secret-token",
  ])
  const { ok, errors, warnings, settings } = JSON.parse(fine.out)
  expect([fine.code, fine.complaints, ok, errors]).toEqual([0, "", true, []])
  expect(warnings.join("\n")).toContain("only one")
  expect(settings.backends).toEqual({ value: ["a:80"], from: "--backend" })
  expect(settings["health.interval"]).toEqual({ value: "5s", from: "default" })
  expect(fine.out).not.toContain("a-long-secret-token")
  const bad = await bunlb(["check", "-b", "a", "-p", "x", "--json"])
  expect([bad.code, bad.complaints]).toEqual([2, ""])
  expect(JSON.parse(bad.out)).toEqual({
    ok: false,
    errors: [expect.stringContaining("--backend"), expect.stringContaining("--port")],
    warnings: [],
  })
})
