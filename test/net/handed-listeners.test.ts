/** A port that a service manager holds: there before bunlb, between two bunlbs, and after them. */
import { afterAll, expect, test } from "bun:test"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { takeHanded } from "../../src/net/handed-listeners.ts"
import { closeListeners, openListeners } from "../../src/net/listeners.ts"
import { forBunlb } from "../support/processes.ts"
import { defaultSettings } from "../../src/config/resolve.ts"
import { root } from "../support/source.ts"
import { present } from "../support/present.ts"
import { PATIENCE_MS, until } from "../support/until.ts"

const backend = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("hello") })
afterAll(() => backend.stop(true))

const one = defaultSettings({ platform: "linux", cpus: 2 }).listeners

/** What systemd does: the socket as descriptor 3, and the environment that tells of it to this process alone. */
function activate(
  fd: number | readonly number[],
  flags: readonly string[],
  log: Bun.BunFile | null = null,
  names = "",
) {
  const fds = [fd].flat()
  const executable = process.env["BUNLB_TEST_EXECUTABLE"]
  const main = join(root, "src", "main.ts")
  const program = executable ? [executable] : [process.execPath, main]
  const words = [...program, "-b", `127.0.0.1:${backend.port}`, "--admin", "off", "--no-pin"]
  const line = 'export LISTEN_PID=$$ LISTEN_FDS=$COUNT; exec "$@"'
  const child = Bun.spawn(["sh", "-c", line, "sh", ...words, ...flags], {
    stdio: ["ignore", "ignore", log ?? "pipe", ...fds],
    env: {
      ...{ ...forBunlb(process.env), BUNLB_LOG_FORMAT: "text", COUNT: `${fds.length}` },
      ...(names === "" ? {} : { LISTEN_FDNAMES: names }),
    },
  })
  return {
    child,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL")
      await child.exited
    },
  }
}

async function ask(port: number): Promise<number> {
  const headers = { connection: "close" }
  return (await fetch(`http://127.0.0.1:${port}/`, { headers, keepalive: false })).status
}

for (const mode of ["mp", "sp"]) {
  test(`${mode}: who comes before bunlb or between two of them waits and is served`, async () => {
    const { port, fds } = openListeners("127.0.0.1", 0, 1)
    const [fd = -1] = fds
    const early = ask(port)
    const told = new Map<unknown, number>()
    let over = false
    const visitors = Array.from({ length: 4 }, async () => {
      while (!over) {
        const status = await ask(port).catch(String)
        told.set(status, (told.get(status) ?? 0) + 1)
      }
    })
    for (let round = 0; round < 2; round++) {
      await using bunlb = activate(fd, ["-w", "2", "-m", mode])
      expect(await early).toBe(200)
      for (let i = 0; i < 10; i++) expect(await ask(port)).toBe(200)
      await Bun.sleep(200) // For visits that the restart may disturb.
      bunlb.child.kill("SIGTERM")
      expect(await bunlb.child.exited).toBe(0)
      const said = await new Response(bunlb.child.stderr as ReadableStream).text()
      expect(said).toContain(`: the service manager's port ${port} -> 1 backend`)
      expect(said).toContain("nothing was cut")
    }
    const between = ask(port)
    await using third = activate(fd, ["-w", "2", "-m", mode])
    expect(await between).toBe(200)
    over = true
    await Promise.all(visitors)
    expect([...told.keys()]).toEqual([200])
    expect(told.get(200)).toBeGreaterThan(50)
    closeListeners(fds)
    third.child.kill("SIGTERM")
    await third.child.exited
    const refused = (): Promise<boolean> =>
      ask(port).then(
        () => false,
        () => true,
      )
    await until(refused, PATIENCE_MS, "the end of the port")
  })
}

test("more workers and fewer share the socket as well; its port is not bunlb's to change", async () => {
  const { port, fds } = openListeners("127.0.0.1", 0, 1)
  const folder = mkdtempSync(join(tmpdir(), "bunlb-held-"))
  const log = join(folder, "log")
  writeFileSync(log, "")
  const file = join(folder, "bunlb.json")
  const write = (config: object): void => writeFileSync(file, JSON.stringify(config))
  const said = async (line: string): Promise<void> => {
    await until(() => readFileSync(log, "utf8").includes(line), PATIENCE_MS, line)
  }
  write({ workers: 2 })
  {
    await using bunlb = activate(fds[0] ?? -1, ["-c", file], Bun.file(log))
    await said(`: the service manager's port ${port} -> 1 backend`)
    const told: unknown[] = []
    let over = false
    const visitor = (async () => {
      while (!over) told.push(await ask(port).catch(String))
    })()
    for (const [config, line] of [
      [{ workers: 3, port: 1 }, "is for the service manager to do, which holds the socket"],
      [{ workers: 1 }, "workers: 3 -> 1"],
      [{ workers: 1, pin: true, strategy: "random" }, "strategy: round_robin -> random"],
    ] as const) {
      write(config)
      bunlb.child.kill("SIGHUP")
      await said(line)
      for (let i = 0; i < 20; i++) expect(await ask(port)).toBe(200)
    }
    over = true
    await visitor
    expect(new Set(told)).toEqual(new Set([200]))
  }
  closeListeners(fds)
  rmSync(folder, { recursive: true })
})

test("what is meant for another process, or for nobody, is left alone", () => {
  const others = { LISTEN_PID: "1", LISTEN_FDS: "1", PATH: "/bin" }
  expect(takeHanded(one, 1, others)).toEqual([null])
  expect(others as object).toEqual({ PATH: "/bin" })
  expect(takeHanded(one, 1, {})).toEqual([null])
  const none = { LISTEN_PID: String(process.pid), LISTEN_FDS: "0" }
  expect(takeHanded(one, 1, none)).toEqual([null])
})

test("more sockets than workers would leave clients waiting for ever", () => {
  const environment = { LISTEN_PID: String(process.pid), LISTEN_FDS: "3" }
  expect(() => takeHanded(one, 2, environment)).toThrow(
    "3 sockets were handed over for 2 of --workers",
  )
})

const three = ["web", "api", "local"].map((name) => ({ ...present(one[0]), name }))

test.each([
  ["names choose the listener, in any order", "api:web", [1, 0, -1]],
  ["several sockets of one name are of one listener", "web:web", [0, -1, -1]],
  ["without names they come in the order of the listeners", "", [0, 1, -1]],
  ["names that are of no listener are none", "bunlb.socket:bunlb.socket", [0, 1, -1]],
])("%s", async (_, names, expected) => {
  const sockets = [openListeners("127.0.0.1", 0, 1), openListeners("127.0.0.1", 0, 1)]
  const folder = mkdtempSync(join(tmpdir(), "bunlb-held-"))
  const [log, file] = [join(folder, "log"), join(folder, "bunlb.json")]
  const listeners = Object.fromEntries(three.map(({ name }) => [name, "127.0.0.1:0"]))
  writeFileSync(file, JSON.stringify({ listeners, workers: 2 }))
  const fds = sockets.flatMap((each) => each.fds)
  {
    await using bunlb = activate(fds, ["-c", file], Bun.file(log), names)
    const line = await until(
      () => / 0\.1\.0: (.*) -> /.exec(readFileSync(log, "utf8"))?.[1],
      PATIENCE_MS,
      "the first line",
    )
    three.forEach(({ name }, i) => {
      const port = sockets[expected[i] ?? -1]?.port
      if (port !== undefined) expect(line).toContain(`${name} the service manager's port ${port}`)
      else expect(line).toContain(`${name} http://127.0.0.1:`)
    })
    for (const { port } of sockets) expect(await ask(port)).toBe(200)
    bunlb.child.kill("SIGTERM")
    expect(await bunlb.child.exited).toBe(0)
  }
  closeListeners(fds)
  rmSync(folder, { recursive: true })
})

test("a socket that no listener is for is refused, by its name or by their number", () => {
  const environment = (count: number, names?: string) => ({
    ...{ LISTEN_PID: String(process.pid), LISTEN_FDS: `${count}` },
    ...(names === undefined ? {} : { LISTEN_FDNAMES: names }),
  })
  expect(() => takeHanded(three, 2, environment(2, "web:wep"))).toThrow(
    'a socket named "wep" was handed over, and no listener has that name',
  )
  expect(() => takeHanded(three, 2, environment(4))).toThrow(
    "4 sockets were handed over for 3 listeners",
  )
})
