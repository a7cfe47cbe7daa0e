/** /health/workers: workers that hang are known long before the master gives them up. */
import { expect, test } from "bun:test"
import { PATIENCE_MS, until } from "../support/until.ts"
import { RunningFleet } from "./running-fleet.ts"

/** Nobody is given up in the time of a test. */
const limits = { heartbeatMs: 50, quietMs: 300, hungMs: 60_000 }

async function says(fleet: RunningFleet, path: string): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${fleet.adminPort}${path}`)
  return `${answer.status} ${(await answer.text()).trim()}`
}

test("all is well, in both modes", async () => {
  for (const mode of ["mp", "sp"] as const) {
    await using fleet = await RunningFleet.start({ mode }, limits)
    expect(await says(fleet, "/health/workers")).toBe("200 ok")
  }
})

test("all workers hang: known at once; /health still believes in them", async () => {
  await using fleet = await RunningFleet.start({}, limits)
  const pids = await fleet.pids()
  for (const pid of pids) process.kill(pid, "SIGSTOP")
  expect(await says(fleet, "/health/workers")).toBe("503 no worker answers")
  expect(await says(fleet, "/health")).toBe("200 ok")
  for (const pid of pids) process.kill(pid, "SIGCONT")
  const well = async (): Promise<boolean> => (await says(fleet, "/health/workers")) === "200 ok"
  await until(well, PATIENCE_MS, "all to be well again")
})

test("half of them hang: known when they have been quiet for a while", async () => {
  await using fleet = await RunningFleet.start({}, limits)
  const [victim = 0] = await fleet.pids()
  process.kill(victim, "SIGSTOP")
  const told = async (): Promise<boolean> =>
    (await says(fleet, "/health/workers")) === "503 1 of 2 workers hang"
  await until(told, PATIENCE_MS, "the quiet one to be told")
  process.kill(victim, "SIGCONT")
})

test("one of three is no reason to leave", async () => {
  await using fleet = await RunningFleet.start({ workers: 3 }, limits)
  const [victim = 0] = await fleet.pids()
  process.kill(victim, "SIGSTOP")
  const until300 = performance.now() + 2 * limits.quietMs
  while (performance.now() < until300) expect(await says(fleet, "/health/workers")).toBe("200 ok")
  process.kill(victim, "SIGCONT")
})
