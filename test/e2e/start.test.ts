/** Starts that cannot work: one clear line each, an exit code, nothing left behind. And what a good one warns of. */
import { existsSync, readFileSync } from "node:fs"
import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { isLeftOut } from "../support/left-out.ts"
import { BunlbProcess, spawnBunlb } from "../support/processes.ts"
import { RawClient } from "../support/raw-client.ts"
import { allGone } from "../master/running-fleet.ts"
import { RunningBackend, RunningBunlb } from "./running-bunlb.ts"

setDefaultTimeout(30_000)

const here = ["-h", "127.0.0.1", "-b", "127.0.0.1:9", "--admin", "127.0.0.1:0"]

async function fails(bunlb: BunlbProcess, code: number, fault: RegExp): Promise<void> {
  expect(await bunlb.exited()).toBe(code)
  expect(bunlb.stdout).toEqual([])
  expect(bunlb.stderr).toEqual([expect.stringMatching(fault)])
}

test.each([
  ["no backend", [], /^bunlb: no backend, name at least one: bunlb -b 127\.0\.0\.1:9001/],
  [
    "an unknown flag",
    ["--bakend", "a:80"],
    /^bunlb: unknown flag --bakend, did you mean --backend/,
  ],
  ["a bad number", ["-p", "eighty", "-b", "a:80"], /^bunlb: --port: expected a whole number/],
  ["a bad address", ["-b", "a:80:80"], /^bunlb: --backend: /],
  ["a missing file", ["-c", "none.yaml"], /^bunlb: config: none\.yaml: no such file or folder$/],
  ["an unknown command", ["demmo"], /^bunlb: unknown command "demmo", did you mean demo\?$/],
])("%s: one line, exit 2", async (_name, args, fault) => {
  await using bunlb = spawnBunlb(args)
  await fails(bunlb, 2, fault)
})

describe.each(["mp", "sp"])("mode %s", (mode) => {
  test("a port in use: one line, exit 1", async () => {
    const taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
    await using bunlb = spawnBunlb([...here, "--mode", mode, "-p", String(taken.port)])
    await fails(bunlb, 1, new RegExp(`^bunlb: port ${taken.port} on 127.0.0.1 is already in use; `))
    taken.stop(true)
  })

  test("an admin port in use: one line that names --admin, exit 1", async () => {
    const taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
    const admin = ["--admin", `127.0.0.1:${taken.port}`]
    await using bunlb = spawnBunlb([...here.slice(0, 4), "--mode", mode, "-p", "0", ...admin])
    await fails(
      bunlb,
      1,
      /^bunlb: admin: port \d+ on 127\.0\.0\.1 is already in use; .*--admin off/,
    )
    taken.stop(true)
  })

  test("a CA file that is not there: one line, not one a worker", async () => {
    const backend = ["-b", "https://localhost:9,ca=none.pem"]
    await using bunlb = spawnBunlb([
      ...backend,
      "-p",
      "0",
      "-w",
      "2",
      "--mode",
      mode,
      "--admin",
      "off",
    ])
    expect(await bunlb.exited()).toBe(2)
    expect(bunlb.lines).toEqual([
      expect.stringMatching(/^bunlb: CA file \/.*\/none\.pem cannot be read/),
    ])
  })
})

test("without a terminal every line of the log is JSON", async () => {
  const env = { BUNLB_LOG_FORMAT: undefined, BUNLB_PORT: "0", BUNLB_BACKENDS: "127.0.0.1:9" }
  await using bunlb = spawnBunlb(["-h", "127.0.0.1", "-w", "1", "--admin", "off"], { env })
  await bunlb.line(/"level":"info","msg":"bunlb .* -> 1 backend/)
  bunlb.kill()
  expect(await bunlb.exited()).toBe(0)
  const messages = bunlb.stderr.map((line) => (JSON.parse(line) as { msg: string }).msg)
  expect(messages.at(-1)).toBe("drained; nothing was cut")
})

/** Root may bind any port unless it gives that right up; many containers let everybody. */
const FLOOR = "/proc/sys/net/ipv4/ip_unprivileged_port_start"
const floor = existsSync(FLOOR) ? Number(readFileSync(FLOOR, "utf8")) : 0
const isRoot = process.getuid?.() === 0
const humble = !isRoot || Bun.which("setpriv") !== null
const reason = humble ? "everybody may bind port 79 here" : "root, and setpriv is not installed"
const noPrivilege = isLeftOut("a privileged port", floor > 79 && humble, reason)

test.skipIf(noPrivilege)("a privileged port: one line, exit 1", async () => {
  const executable = process.env["BUNLB_TEST_EXECUTABLE"]
  const program = executable ? [executable] : [process.execPath, "src/main.ts"]
  const without = ["setpriv", "--inh-caps=-net_bind_service", "--bounding-set=-net_bind_service"]
  const command = [...(isRoot ? without : []), ...program, ...here, "-p", "79"]
  await using bunlb = new BunlbProcess(command, {})
  await fails(
    bunlb,
    1,
    /^bunlb: port 79 on 127\.0\.0\.1 needs a privilege; choose one from 1024 up/,
  )
})

test("--insecure works, and is said once, loudly", async () => {
  await using backend = spawnBunlb(["backend", "-p", "0", "--name", "tls", "--tls"])
  const [, port] = await backend.line(/listening on https:\/\/127\.0\.0\.1:(\d+)$/)
  const target = ["-b", `https://127.0.0.1:${port}`]
  await using strict = await RunningBunlb.start([], ["-w", "2", ...target])
  const refused = await RawClient.connect(strict.port)
  const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
  const response = await refused.exchange(get)
  expect([response.status, response.body.toString()]).toEqual([
    502,
    expect.stringContaining("certificate self-signed"),
  ])
  await using bunlb = await RunningBunlb.start([], ["-w", "2", "-k", ...target])
  const client = await RawClient.connect(bunlb.port)
  expect((await client.exchange(get)).body.toString()).toBe("tls says hello\n")
  const loud = bunlb.process.lines.filter((line) => /NOT verified/.test(line))
  expect(loud).toEqual([expect.stringContaining("insecure: the certificates of TLS backends")])
})

test("check says whether a start would work, and what is unwise about it", async () => {
  await using check = spawnBunlb(["check", ...here, "-m", "mp", "-w", "2", "-p", "0"])
  expect(await check.exited()).toBe(0)
  expect(check.stdout).toEqual([
    "ok: 1 backend, round_robin, 2 workers, port 127.0.0.1:0, admin 127.0.0.1:0",
  ])
  expect(check.stderr[0]).toStartWith("warning: backends: only one")
})

test("health and status: of a running bunlb, and of none", async () => {
  await using backend = await RunningBackend.start("one")
  await using bunlb = await RunningBunlb.start(
    [backend],
    ["-w", "1", "--health-interval", "100ms", "--health-timeout", "100ms"],
  )
  const admin = ["--admin", `127.0.0.1:${bunlb.adminPort}`]
  await using well = spawnBunlb(["health", ...admin])
  expect([await well.exited(), ...well.lines]).toEqual([0, "healthy"])
  await using table = spawnBunlb(["status", ...admin])
  expect(await table.exited()).toBe(0)
  expect(table.stdout.join("\n")).toMatch(
    new RegExp(`BACKEND +STATE[^]*127.0.0.1:${backend.port} +up[^]*WORKER +PID[^]*serving`),
  )
  await using json = spawnBunlb(["status", "--json", ...admin])
  expect(await json.exited()).toBe(0)
  expect(JSON.parse(json.stdout.join("\n"))).toMatchObject({ mode: "mp", port: bunlb.port })

  await backend.kill()
  await bunlb.backendIs(backend.port, "down")
  await using sick = spawnBunlb(["health", ...admin])
  expect([await sick.exited(), ...sick.lines]).toEqual([
    1,
    "bunlb: unhealthy: no backend is healthy",
  ])
  const pids = await bunlb.workerPids()
  bunlb.process.kill("SIGTERM")
  expect(await bunlb.process.exited()).toBe(0)
  await allGone(pids)
  for (const command of ["health", "status"]) {
    await using none = spawnBunlb([command, ...admin])
    expect(await none.exited()).toBe(1)
    expect(none.stdout).toEqual([])
    expect(none.stderr).toHaveLength(1)
    expect(none.stderr[0]).toContain(`127.0.0.1:${bunlb.adminPort}`)
  }
})
