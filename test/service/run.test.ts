/** How a fleet begins and how it ends: refusals to start, draining, signals. Real processes. */
import { expect, test } from "bun:test"
import { PATIENCE_MS, until } from "../support/until.ts"
import { RunningFleet, allGone, spawnMaster } from "../master/running-fleet.ts"
import { testBackend, testSettings } from "../master/settings.ts"

const shortDrain = { timeouts: { ...testSettings().timeouts, drain: 200 } }

for (const mode of ["mp", "sp"] as const) {
  test(`${mode}: SIGTERM lets a request in flight end, then exits 0`, async () => {
    await using fleet = await RunningFleet.start({ mode })
    const answer = fleet.ask("/slow")
    const clients = () => fleet.figure("bunlb_client_connections")
    await until(async () => (await clients()) === 1, PATIENCE_MS, "the request")
    const pids = await fleet.pids()
    fleet.master.kill("SIGTERM")
    expect(pids).toContain(await answer)
    expect(await fleet.master.exited()).toBe(0)
    expect(fleet.master.lines.at(-1)).toBe("info drained; nothing was cut")
    await allGone(pids)
  })

  test(`${mode}: what is left at the drain limit is cut, exit 0`, async () => {
    await using fleet = await RunningFleet.start({ mode, ...shortDrain })
    await fleet.hold()
    const clients = () => fleet.figure("bunlb_client_connections")
    await until(async () => (await clients()) === 1, PATIENCE_MS, "the connection")
    fleet.master.kill("SIGINT")
    expect(await fleet.master.exited()).toBe(0)
    expect(fleet.master.lines.at(-1)).toBe("warn drained; 1 connection cut after 0.2 s")
  })

  test(`${mode}: a second signal stops at once, exit 1`, async () => {
    await using fleet = await RunningFleet.start({ mode })
    const pids = await fleet.pids()
    await fleet.hold()
    const clients = () => fleet.figure("bunlb_client_connections")
    await until(async () => (await clients()) === 1, PATIENCE_MS, "the connection")
    fleet.master.kill("SIGTERM")
    await fleet.master.line(/^info SIGTERM: draining, at most 30 s$/)
    await until(() => fleet.figure("bunlb_workers").then((n) => n === 0), PATIENCE_MS, "draining")
    await Bun.sleep(60) // Longer than two signals that are one wish.
    fleet.master.kill("SIGTERM")
    expect(await fleet.master.exited()).toBe(1)
    await allGone(pids)
  })
}

test("a signal to the whole group is the master's affair: workers finish what they serve", async () => {
  await using fleet = await RunningFleet.start()
  const answer = fleet.ask("/slow")
  const clients = () => fleet.figure("bunlb_client_connections")
  await until(async () => (await clients()) === 1, PATIENCE_MS, "the request")
  const pids = await fleet.pids()
  for (const pid of pids) for (const signal of ["SIGINT", "SIGTERM"]) process.kill(pid, signal)
  fleet.master.kill("SIGINT")
  expect(pids).toContain(await answer)
  expect(await fleet.master.exited()).toBe(0)
})

test("while it drains, /health says so and connections are refused", async () => {
  await using fleet = await RunningFleet.start()
  await fleet.hold()
  const health = () => fetch(`http://127.0.0.1:${fleet.adminPort}/health`)
  expect(await (await health()).text()).toBe("ok\n")
  fleet.master.kill("SIGTERM")
  await until(async () => (await health()).status === 503, PATIENCE_MS, "503")
  expect(await (await health()).text()).toBe("draining\n")
  const refused = () =>
    fleet
      .ask()
      .then(() => false)
      .catch(() => true)
  await until(refused, PATIENCE_MS, "a refusal")
})

test("a port in use: one line, exit 1, nothing left running", async () => {
  await using first = await RunningFleet.start()
  await using second = spawnMaster({ port: first.port })
  expect(await second.exited()).toBe(1)
  expect(second.lines).toHaveLength(1)
  expect(second.lines[0]).toStartWith(
    `BUNLB_E_PORT_IN_USE port ${first.port} on 127.0.0.1 is already in use`,
  )
})

test("an admin port in use names --admin", async () => {
  await using first = await RunningFleet.start()
  await using second = spawnMaster({ admin: { host: "127.0.0.1", port: first.adminPort } })
  expect(await second.exited()).toBe(1)
  expect(second.lines).toHaveLength(1)
  expect(second.lines[0]).toContain(`admin: port ${first.adminPort} on 127.0.0.1 is already in use`)
  expect(second.lines[0]).toContain("--admin off")
})

for (const mode of ["mp", "sp"] as const) {
  test(`${mode}: a worker that refuses its settings ends the start with its own words`, async () => {
    await using master = spawnMaster({ mode, backends: [testBackend("a:443", { ca: "/no.pem" })] })
    expect(await master.exited()).toBe(2)
    const told = master.lines.filter((line) => !line.startsWith("debug"))
    expect(told).toEqual(["BUNLB_E_CA_FILE cannot read the CA file /no.pem"])
  })

  test(`${mode}: a worker that crashes at the start ends it in one line`, async () => {
    await using master = spawnMaster({ mode, strategy: "random" })
    expect(await master.exited()).toBe(1)
    const told = master.lines.filter((line) => /^[A-Ze]/.test(line))
    expect(told).toEqual([
      expect.stringMatching(/^BUNLB_E_RUNTIME worker \d cannot start: no luck$/),
    ])
  })
}

test("sp: one process, the same figures", async () => {
  await using fleet = await RunningFleet.start({ mode: "sp" })
  expect(await fleet.ask()).toBe(fleet.master.pid)
  const status = await fleet.status()
  expect(status.workers.map(({ pid, state }) => ({ pid, state }))).toEqual([
    { pid: fleet.master.pid, state: "serving" },
  ])
  expect(status.backends[0]?.requests).toBe(1)
})
