/** The fleet as it moves, by real processes: rates that add up, deaths and changes of health in the journal. */
import { expect, test } from "bun:test"
import type { Live, Past } from "../../../src/master/figures/live.ts"
import { EventReader } from "../../admin/event-reader.ts"
import { PATIENCE_MS, until } from "../../support/until.ts"
import { RunningFleet } from "../running-fleet.ts"

for (const mode of ["mp", "sp"] as const) {
  test(`${mode}: requests are seen as a rate, and then as the past`, async () => {
    await using fleet = await RunningFleet.start({ mode }, { heartbeatMs: 100 })
    const address = `http://127.0.0.1:${fleet.adminPort}/api/v1`
    const live = async (): Promise<Live> => (await (await fetch(`${address}/live`)).json()) as Live
    const busy = async (): Promise<boolean> => {
      await fleet.ask()
      const { whole, backends, status, moment } = await live()
      expect(backends).toHaveLength(status.backends.length)
      return whole.requests > 0 && (backends[0]?.requests ?? 0) > 0 && moment[1] > 0
    }
    await until(busy, PATIENCE_MS, "a rate")
    const past = await pastOf(`${address}/events`)
    expect(past.moments.some((moment) => moment[1] > 0)).toBe(true)
    expect(past.journal[0]?.text).toMatch(/^bunlb \S+ serves$/)
  })
}

test("the journal tells of health and of deaths", async () => {
  await using fleet = await RunningFleet.start({ workers: 1 }, { heartbeatMs: 100 })
  await fleet.ask("/sick")
  fleet.poke("/exit")
  const events = `http://127.0.0.1:${fleet.adminPort}/api/v1/events`
  const told = async () => (await pastOf(events)).journal.map(({ kind, text }) => [kind, text])
  await until(async () => (await told()).length === 4, PATIENCE_MS, "four entries")
  expect(await told()).toEqual([
    ["note", expect.stringMatching(/^bunlb \S+ serves$/)],
    ["bad", "backend a:80 is unhealthy: 3 failures, last: connect refused"],
    ["bad", expect.stringMatching(/^worker 0 \(pid \d+\) exited with code 7 after .* s; starting/)],
    ["good", expect.stringMatching(/^backend a:80 is healthy again after 1 s: worker 0/)],
  ])
})

async function pastOf(address: string): Promise<Past> {
  const reader = new EventReader(await fetch(address))
  const [name, data] = (await reader.next()) ?? []
  await reader.leave()
  expect(name).toBe("past")
  return data as Past
}
