/** A port that a service manager holds: there before bunlb, between two bunlbs, and after them. */
import { afterAll, expect, test } from "bun:test"
import { join } from "node:path"
import { takeHanded } from "../../src/net/activation.ts"
import { closeListeners, openListeners } from "../../src/net/listeners.ts"
import { root } from "../support/source.ts"
import { PATIENCE_MS, until } from "../support/until.ts"

const backend = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("hello") })
afterAll(() => backend.stop(true))

/** What systemd does: the socket as descriptor 3, and the environment that tells of it to this process alone. */
function activate(fd: number, flags: readonly string[]) {
  const executable = process.env["BUNLB_TEST_EXECUTABLE"]
  const main = join(root, "src", "main.ts")
  const program = executable ? [executable] : [process.execPath, main]
  const words = [...program, "-b", `127.0.0.1:${backend.port}`, "--admin", "off", "--no-pin"]
  const line = 'export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@"'
  const child = Bun.spawn(["sh", "-c", line, "sh", ...words, ...flags], {
    stdio: ["ignore", "ignore", "pipe", fd],
    env: { ...process.env, BUNLB_LOG_FORMAT: "text" },
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
      const said = await bunlb.child.stderr.text()
      expect(said).toContain(`:${port} -> 1 backend`)
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

test("what is meant for another process, or for nobody, is left alone", () => {
  const others = { LISTEN_PID: "1", LISTEN_FDS: "1", PATH: "/bin" }
  expect(takeHanded(1, others)).toBeNull()
  expect(others as object).toEqual({ PATH: "/bin" })
  expect(takeHanded(1, {})).toBeNull()
  expect(takeHanded(1, { LISTEN_PID: String(process.pid), LISTEN_FDS: "0" })).toBeNull()
})

test("more sockets than workers would leave clients waiting for ever", () => {
  const environment = { LISTEN_PID: String(process.pid), LISTEN_FDS: "3" }
  expect(() => takeHanded(2, environment)).toThrow("3 sockets were handed over for 2 of --workers")
})
