import { describe, expect, test } from "bun:test"
import { HealthBoard } from "../../src/health/board.ts"

function board(failures = 3, successes = 2, backoff = 1) {
  const clock = { time: 1000, now: () => clock.time }
  const changes: [number, boolean, string][] = []
  const board = new HealthBoard(3, { failures, successes, backoff }, clock, (...change) => {
    changes.push(change)
  })
  return { board, clock, changes }
}

describe("the health board", () => {
  test("begins with everyone healthy, since now, for no reason", () => {
    const { board: fresh, changes } = board()
    expect([fresh.healthy.count(), fresh.since(2), fresh.reason(2)]).toEqual([3, 1000, ""])
    expect(changes).toEqual([])
  })

  test("tells of each transition once, with the reason a person reads", () => {
    const { board: watched, clock, changes } = board()
    watched.fail(1, "response head late")
    watched.fail(1, "connect refused")
    clock.time = 2000
    watched.fail(1, "connect refused")
    watched.fail(1, "connect refused")
    expect(changes).toEqual([[1, false, "3 failures, last: connect refused"]])
    expect([watched.healthy.has(0), watched.healthy.has(1)]).toEqual([true, false])
    expect([watched.since(1), watched.since(0)]).toEqual([2000, 1000])

    clock.time = 3000
    for (let success = 0; success < 4; success++) watched.succeed(1)
    expect(changes.slice(1)).toEqual([[1, true, "2 successes"]])
    expect([watched.healthy.has(1), watched.since(1)]).toEqual([true, 3000])
    expect(watched.reason(1)).toBe("2 successes")
  })

  test("speaks of one failure and one success in the singular", () => {
    const { board: nervous, changes } = board(1, 1)
    nervous.fail(0, "status 500")
    nervous.succeed(0)
    expect(changes.map(([, , reason]) => reason)).toEqual([
      "1 failure, last: status 500",
      "1 success",
    ])
  })

  test("a success between failures keeps a backend healthy", () => {
    const { board: lucky, changes } = board()
    for (let round = 0; round < 10; round++) {
      lucky.fail(0, "x")
      lucky.fail(0, "x")
      lucky.succeed(0)
    }
    expect(changes).toEqual([])
    expect(lucky.failures(0).get("x")).toBe(20)
  })

  test("counts failures by reason, for each backend, and bounds the number of reasons", () => {
    const { board: flooded } = board()
    flooded.fail(2, "connect refused")
    flooded.fail(2, "connect refused")
    for (let at = 0; at < 100; at++) flooded.fail(0, `reason ${at}`)
    expect([...flooded.failures(2)]).toEqual([["connect refused", 2]])
    expect(flooded.failures(0).size).toBe(33)
    expect(flooded.failures(0).get("other")).toBe(68)
    expect(flooded.failures(1).size).toBe(0)
  })
})

describe("a backend that fails again within a minute", () => {
  /** Fails until it is out, and succeeds until it is back. Returns how many successes that took. */
  function relapse(flapping: HealthBoard, index = 0): number {
    while (flapping.healthy.has(index)) flapping.fail(index, "status 500")
    let successes = 0
    while (!flapping.healthy.has(index)) {
      flapping.succeed(index)
      successes++
    }
    return successes
  }

  test("has to show twice as many successes each time, up to a limit", () => {
    const { board: flapping, clock, changes } = board(3, 2, 8)
    const shown: number[] = []
    for (let time = 0; time < 6; time++) {
      shown.push(relapse(flapping))
      clock.time += 59_000
    }
    expect(shown).toEqual([2, 4, 8, 16, 16, 16])
    expect(changes.at(-1)).toEqual([0, true, "16 successes"])
    // The others are not asked for more.
    expect(relapse(flapping, 1)).toBe(2)
  })

  test("has a failure in between for which all begins anew", () => {
    const { board: flapping } = board(1, 2, 8)
    relapse(flapping)
    flapping.fail(0, "status 500")
    for (let good = 0; good < 3; good++) flapping.succeed(0)
    flapping.fail(0, "status 500")
    for (let good = 0; good < 3; good++) flapping.succeed(0)
    expect(flapping.healthy.has(0)).toBe(false)
    flapping.succeed(0)
    expect(flapping.healthy.has(0)).toBe(true)
  })

  test("is forgiven when it has stood for a minute", () => {
    const { board: flapping, clock } = board(3, 2, 8)
    expect([relapse(flapping), relapse(flapping)]).toEqual([2, 4])
    clock.time += 60_000
    expect([relapse(flapping), relapse(flapping)]).toEqual([2, 4])
  })

  test("is asked for no more than others when there is no back-off", () => {
    const { board: flapping } = board(3, 2)
    expect([1, 2, 3, 4].map(() => relapse(flapping))).toEqual([2, 2, 2, 2])
  })

  test("obeys a smaller limit at once", () => {
    const { board: flapping } = board(1, 2, 8)
    for (let time = 0; time < 3; time++) relapse(flapping)
    flapping.fail(0, "status 500")
    flapping.configure({ failures: 1, successes: 2, backoff: 1 })
    for (let good = 0; good < 2; good++) flapping.succeed(0)
    expect(flapping.healthy.has(0)).toBe(true)
  })
})
