/** What must come of a fault at every rate of requests: quiet tests see other things than busy ones. */
import { describe, expect, test } from "bun:test"
import { INTERVAL, Simulation, type World } from "./simulation.ts"

const rates = [0, 4, 20, 100, 1000] as const
const busy = rates.filter((rate) => rate > 0)
const MINUTE = 60_000

const well: Pick<World, "reply" | "probe"> = { reply: () => "ok", probe: () => "ok" }

describe("a health page that begins to fail at 10 s, while requests are answered", () => {
  const world = (rate: number): World => ({
    ...well,
    ...{ backends: 2, rate },
    probe: (backend, time) => {
      return backend === 0 && time >= 10_000 && time < 70_000 ? "wrong status" : "ok"
    },
  })

  test.each(rates)(
    "%d requests/s: out within three intervals, and until the page is well",
    (rate) => {
      const { changes, errors, ...rest } = new Simulation(world(rate)).run(2 * MINUTE)
      expect(changes.map(({ index, healthy }) => [index, healthy])).toEqual([
        [0, false],
        [0, true],
      ])
      expect(changes[0]?.time).toBeLessThanOrEqual(10_000 + 3 * INTERVAL)
      expect(changes[1]?.time).toBeWithin(70_000 + INTERVAL, 70_001 + 2 * INTERVAL)
      expect(errors).toEqual([])
      expect(rest.answered[0]?.slice(25, 70).filter(Boolean)).toEqual([])
    },
  )
})

describe("four backends whose page is not what the probes expect", () => {
  test.each(busy)("%d requests/s: share evenly, after 20 s of silence too", (rate) => {
    const simulation = new Simulation({ ...well, backends: 4, rate, probe: () => "wrong status" })
    simulation.run(5 * MINUTE)
    const shares = [0, 1, 2, 3].map((index) => simulation.share(index, MINUTE, 5 * MINUTE))
    expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(4)
    expect(simulation.errors).toEqual([])
    expect([0, 1, 2, 3].map((index) => simulation.board.against(index))).toEqual(
      Array<"page">(4).fill("page"),
    )
  })

  test.each(busy)("%d requests/s: the same when the page hangs", (rate) => {
    const simulation = new Simulation({ ...well, backends: 4, rate, probe: () => "hangs" })
    simulation.run(5 * MINUTE)
    const shares = [0, 1, 2, 3].map((index) => simulation.share(index, MINUTE, 5 * MINUTE))
    expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(4)
  })

  test.each(busy)(
    "%d requests/s: one that dies gets next to nothing, and no request fails",
    (rate) => {
      const simulation = new Simulation({
        ...{ backends: 4, rate, probe: () => "wrong status" },
        reply: (backend, time) => (backend === 2 && time > 30_000 ? "refused" : "ok"),
      }).run(2 * MINUTE)
      expect(simulation.errors).toEqual([])
      expect(simulation.board.against(2)).toBe("requests")
    },
  )
})

describe("four backends with a wrong page, one of which fails for a while, gets its share again", () => {
  test.each(["refused", "cut"] as const)("%s", (fault) => {
    for (const rate of busy) {
      const simulation = new Simulation({
        ...{ backends: 4, rate },
        probe: (backend, time) => {
          const gone = fault === "refused" && backend === 2 && time > 30_000 && time < MINUTE
          return gone ? "refused" : "wrong status"
        },
        reply: (backend, time) => {
          return backend === 2 && time > 30_000 && time < MINUTE ? fault : "ok"
        },
      }).run(4 * MINUTE)
      expect(simulation.errors).toEqual([])
      const share = simulation.share(2, 2.5 * MINUTE, 4 * MINUTE) / (rate * 90)
      expect(share).toBeWithin(0.23, 0.27)
    }
  })
})

describe("the only backend with a good page dies, another would serve", () => {
  test.each(busy)("%d requests/s: no request fails", (rate) => {
    const simulation = new Simulation({
      ...{ backends: 2, rate },
      probe: (backend, time) => (backend === 1 ? "wrong status" : time > MINUTE ? "refused" : "ok"),
      reply: (backend, time) => (backend === 0 && time > MINUTE ? "refused" : "ok"),
    }).run(3 * MINUTE)
    expect(simulation.errors).toEqual([])
    expect(simulation.share(1, MINUTE, 3 * MINUTE)).toBeGreaterThan(rate * 119)
  })
})

describe("the page is well and every request is cut", () => {
  const cut = (rate: number, more: Partial<World> = {}): Simulation =>
    new Simulation({
      ...well,
      ...{ backends: 2, rate },
      reply: (backend) => (backend === 0 ? "cut" : "ok"),
      ...more,
    })

  test.each(busy)(
    "%d requests/s, GET: out, and tried by single requests that nobody sees fail",
    (rate) => {
      const simulation = cut(rate).run(10 * MINUTE)
      expect(simulation.changes.map(({ healthy }) => healthy)).toEqual([false])
      expect(simulation.errors).toEqual([])
      // At first every 10 s, later once a minute, so that it does not flap.
      const tried = simulation.board.failures(0).get("closed before a response") ?? 0
      expect(tried).toBeWithin(10, 20)
    },
  )

  test.each(busy)("%d requests/s, POST: a handful fails in an hour, not half of them", (rate) => {
    const request = (count: number) => ({
      ...{ client: count % 7, path: count % 11, idempotent: false },
    })
    const simulation = cut(Math.min(rate, 100), { request }).run(60 * MINUTE)
    expect(simulation.errors.length).toBeLessThan(40)
    expect(simulation.errors.filter((time) => time > 30 * MINUTE).length).toBeLessThan(15)
  })

  test.each(busy)("%d requests/s: in again by two trials once requests are answered", (rate) => {
    const simulation = cut(rate, {
      reply: (backend, time) => (backend === 0 && time < MINUTE ? "cut" : "ok"),
    }).run(3 * MINUTE)
    expect(simulation.changes.map(({ healthy }) => healthy)).toEqual([false, true])
    expect(simulation.changes[1]?.time).toBeLessThan(2 * MINUTE + 1000)
    expect(simulation.changes[1]?.reason).toBe("2 requests answered")
    expect(simulation.share(0, 2 * MINUTE + 1000, 3 * MINUTE)).toBeGreaterThan(rate * 29)
  })

  test("without traffic it comes back by its probes", () => {
    let calls = 0
    const simulation = new Simulation({
      ...{ backends: 2, rate: 4, probe: () => "ok" },
      reply: (backend) => (backend === 0 && calls++ < 3 ? "cut" : "ok"),
      request: (count) => ({ client: count, path: count, idempotent: false }),
    }).run(5 * MINUTE)
    expect(simulation.changes.map(({ healthy, reason }) => [healthy, reason])).toEqual([
      [false, "3 requests failed, last: closed before a response"],
      [true, "2 probes succeeded"],
    ])
  })
})

describe("a page that fails on every backend, with `when_all_unhealthy: fail`", () => {
  const bad = 3
  const world = (rate: number, client: (count: number) => number): World => ({
    ...well,
    ...{ backends: 2, rate, whenAllUnhealthy: "fail" },
    request: (count) => ({ client: client(count), path: bad, idempotent: true }),
    reply: (_backend, _time, { path }) => (path === bad ? "cut" : "ok"),
  })

  test.each(busy)("%d requests/s of one client or of many take nobody out", (rate) => {
    for (const client of [() => 1, (count: number) => count]) {
      const simulation = new Simulation(world(rate, client)).run(MINUTE)
      expect(simulation.changes).toEqual([])
    }
  })

  test.each(busy)("%d requests/s of one client for many bad pages take nobody out", (rate) => {
    const simulation = new Simulation({
      ...world(rate, () => 1),
      request: (count) => ({ client: 1, path: count, idempotent: true }),
      reply: () => "cut",
    }).run(MINUTE)
    expect(simulation.changes).toEqual([])
  })
})

describe("one client behind a proxy, one of two backends cuts", () => {
  test.each(busy)(
    "%d requests/s: its requests go to the other one, which everybody keeps",
    (rate) => {
      const simulation = new Simulation({
        ...well,
        ...{ backends: 2, rate },
        request: (count) => ({ client: 1, path: count, idempotent: false }),
        reply: (backend) => (backend === 0 ? "cut" : "ok"),
      }).run(MINUTE)
      expect(simulation.changes).toEqual([])
      expect(simulation.avoidances).toEqual(["0 true one client"])
      expect(simulation.errors.length).toBe(3)
    },
  )
})

describe("after all four were down", () => {
  /** Backends come back one second after the other. */
  const back = (rate: number): Simulation => {
    const down = (backend: number, time: number): boolean =>
      time > 30_000 && time < 90_000 + backend * 1000
    return new Simulation({
      ...{ backends: 4, rate },
      reply: (backend, time) => (down(backend, time) ? "refused" : "ok"),
      probe: (backend, time) => (down(backend, time) ? "refused" : "ok"),
    })
  }

  test.each([20, 100, 500, 1000])(
    "%d requests/s: each gets its share as soon as it serves",
    (rate) => {
      const simulation = back(rate).run(2 * MINUTE)
      const second = (at: number) =>
        [0, 1, 2, 3].map((index) => simulation.share(index, at * 1000, (at + 1) * 1000) / rate)
      // The second one is back at 91 s, and has half of the requests less than half a second later.
      expect(second(92)[0]).toBeLessThan(0.75)
      expect(second(93)[0]).toBeLessThan(0.6)
      for (const share of second(95)) expect(share).toBeWithin(0.2, 0.3)
      expect(simulation.errors.filter((time) => time >= 90_000)).toEqual([])
    },
  )
})
