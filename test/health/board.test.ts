import { describe, expect, test } from "bun:test"
import { HealthBoard } from "../../src/health/board.ts"
import { NOT_CONNECTED, NO_RESPONSE } from "../../src/health/request-breaker.ts"

const anyone = { client: 1, path: 1, sentAt: Infinity }

/** A board of three backends with shorthands for what can be said of them. */
function boardOf(failures = 3, successes = 2, backoff = 1) {
  const clock = { time: 1000, now: () => clock.time }
  const changes: [number, boolean, string][] = []
  const avoidances: [number, boolean, string, string][] = []
  const suspected: number[] = []
  const board = new HealthBoard(3, { failures, successes, backoff }, clock, clock, {
    changed: (...change) => void changes.push(change),
    avoidance: (...change) => void avoidances.push(change),
    suspected: (index) => void suspected.push(index),
  })
  const refuse = (index: number): void => {
    board.failed(index, NOT_CONNECTED, "connect refused", {
      ...anyone,
      ticket: board.ticket(index),
    })
  }
  const answer = (index: number): void => {
    board.answered(index, { ...anyone, ticket: board.ticket(index) })
  }
  return { board, clock, changes, avoidances, suspected, refuse, answer }
}

describe("the health board", () => {
  test("begins with everyone healthy, since now, for no reason", () => {
    const { board, changes } = boardOf()
    expect([board.healthy.count(), board.since(2), board.reason(2)]).toEqual([3, 1000, ""])
    expect([board.against(0), board.calm, changes]).toEqual([null, true, []])
  })

  test("tells of each change once, with the reason a person reads", () => {
    const { board, clock, changes, refuse } = boardOf()
    board.probeFailed(1, "status 503", "response")
    board.probeFailed(1, "status 503", "response")
    clock.time = 2000
    board.probeFailed(1, "status 503", "response")
    board.probeFailed(1, "status 503", "response")
    expect(changes).toEqual([[1, false, "3 probes failed, last: status 503"]])
    expect([board.healthy.has(0), board.healthy.has(1)]).toEqual([true, false])
    expect([board.since(1), board.since(0)]).toEqual([2000, 1000])
    clock.time = 3000
    for (let success = 0; success < 4; success++) board.probeSucceeded(1)
    expect(changes.slice(1)).toEqual([[1, true, "2 probes succeeded"]])
    expect([board.healthy.has(1), board.since(1)]).toEqual([true, 3000])
    for (let failure = 0; failure < 3; failure++) refuse(1)
    expect(changes.slice(2)).toEqual([[1, false, "3 requests failed, last: connect refused"]])
  })

  test("speaks of one failure and one success in the singular", () => {
    const { board, changes } = boardOf(1, 1)
    board.probeFailed(0, "status 500", "response")
    board.probeSucceeded(0)
    expect(changes.map(([, , reason]) => reason)).toEqual([
      "1 probe failed, last: status 500",
      "1 probe succeeded",
    ])
  })

  test("counts failures by reason, for each backend, and bounds the number of reasons", () => {
    const { board, refuse } = boardOf()
    refuse(2)
    refuse(2)
    for (let at = 0; at < 100; at++) board.probeFailed(0, `reason ${at}`, "response")
    expect([...board.failures(2)]).toEqual([["connect refused", 2]])
    expect(board.failures(0).size).toBe(33)
    expect(board.failures(0).get("other")).toBe(68)
    expect(board.failures(1).size).toBe(0)
  })
})

/** Events in short: probe ok/bad page/no connection, request answered/refused, old request answered/refused. */
const events = ["p+", "p-", "p!", "r+", "r-", "o+", "o-"] as const
type Event = (typeof events)[number]

/** One backend with `failures` and `successes` of 1, brought into a state by events. */
function inState(before: readonly Event[]) {
  const { board, refuse, answer } = boardOf(1, 1)
  const old = { ...anyone, ticket: board.ticket(0) - 1 }
  const send = (event: Event): void => {
    if (event === "p+") board.probeSucceeded(0)
    else if (event === "p-") board.probeFailed(0, "status 503", "response")
    else if (event === "p!") board.probeFailed(0, "connect refused", "nothing")
    else if (event === "r+") answer(0)
    else if (event === "r-") refuse(0)
    else if (event === "o+") board.answered(0, old)
    else board.failed(0, NOT_CONNECTED, "connect refused", old)
  }
  for (const event of before) send(event)
  const state = () => ({
    probes: board.serving.has(0) ? board.against(0) : undefined,
    requests: board.serving.has(0),
  })
  return { board, send, state }
}

describe("the two records: state, event, next state", () => {
  const states = {
    good: [],
    page: ["p-"],
    dead: ["p!"],
    requests: ["r-"],
    "page, requests": ["p-", "r-"],
    "dead, requests": ["p!", "r-"],
  } as const satisfies Record<string, readonly Event[]>
  type State = keyof typeof states

  /** Told apart by what is against the backend now and after good probes alone, or good requests alone. */
  function stateOf(before: readonly Event[]): State {
    const after = (...more: Event[]) => inState([...before, ...more]).board.against(0)
    const now = after()
    if (now === null) return "good"
    if (now === "page") return "page"
    if (now === "probes") return "dead"
    const left = after("r+")
    if (left === "page") return "page, requests"
    // An answered request closes both records of a dead backend, a probe that fails keeps the one of probes.
    return after("p!", "r+") === null && after("r+", "p!") === "probes" && wasProbed(before)
      ? "dead, requests"
      : "requests"
  }

  /** A dead backend and one that requests alone are against look the same until a probe comes. */
  const wasProbed = (before: readonly Event[]): boolean =>
    before.lastIndexOf("p!") > before.lastIndexOf("p+")

  const table: Record<State, Record<Event, State>> = {
    good: {
      ...{ "p+": "good", "p-": "page", "p!": "dead", "r+": "good", "r-": "requests" },
      ...{ "o+": "good", "o-": "good" },
    },
    page: {
      ...{ "p+": "good", "p-": "page", "p!": "dead", "r+": "page", "r-": "page, requests" },
      ...{ "o+": "page", "o-": "page" },
    },
    dead: {
      ...{ "p+": "good", "p-": "page", "p!": "dead", "r+": "good", "r-": "dead, requests" },
      ...{ "o+": "dead", "o-": "dead" },
    },
    requests: {
      ...{ "p+": "good", "p-": "page, requests", "p!": "dead, requests", "r+": "good" },
      ...{ "r-": "requests", "o+": "requests", "o-": "requests" },
    },
    "page, requests": {
      ...{ "p+": "good", "p-": "page, requests", "p!": "dead, requests", "r+": "page" },
      ...{ "r-": "page, requests", "o+": "page, requests", "o-": "page, requests" },
    },
    "dead, requests": {
      ...{ "p+": "good", "p-": "page, requests", "p!": "dead, requests", "r+": "good" },
      ...{ "r-": "dead, requests", "o+": "dead, requests", "o-": "dead, requests" },
    },
  }
  const cells = Object.entries(table).flatMap(([state, row]) =>
    events.map((event) => [state as State, event, row[event]] as const),
  )

  test.each(cells)("%s, %s -> %s", (state, event, next) => {
    expect(stateOf(states[state])).toBe(state)
    expect(stateOf([...states[state], event])).toBe(next)
  })
})

describe("separate records", () => {
  test("answered requests between failed probes do not keep a backend in", () => {
    const { board, answer, changes } = boardOf()
    for (let probe = 0; probe < 3; probe++) {
      for (let request = 0; request < 100; request++) answer(0)
      board.probeFailed(0, "status 503", "response")
    }
    for (let request = 0; request < 100; request++) answer(0)
    expect(changes).toEqual([[0, false, "3 probes failed, last: status 503"]])
  })

  test("good probes between failed requests do not keep a backend in", () => {
    const { board, refuse, changes } = boardOf()
    for (let request = 0; request < 3; request++) {
      refuse(0)
      board.probeSucceeded(0)
    }
    expect(changes).toEqual([[0, false, "3 requests failed, last: connect refused"]])
  })

  test("an answered request between failed ones, and a good probe between failed ones, do", () => {
    const { board, refuse, answer, changes } = boardOf()
    for (let round = 0; round < 10; round++) {
      refuse(0)
      refuse(0)
      answer(0)
      board.probeFailed(0, "status 503", "response")
      board.probeFailed(0, "status 503", "response")
      board.probeSucceeded(0)
    }
    expect(changes).toEqual([])
  })

  test("what is against a backend is told, and when that changes", () => {
    const { board, refuse, answer, changes } = boardOf(1, 1)
    board.probeFailed(0, "status 404", "response")
    expect([board.against(0), board.serving.has(0)]).toEqual(["page", true])
    refuse(0)
    expect([board.against(0), board.serving.has(0)]).toEqual(["requests", false])
    answer(0)
    expect([board.against(0), board.reason(0)]).toEqual([
      "page",
      "1 probe failed, last: status 404",
    ])
    expect(changes.map(([, healthy, reason]) => [healthy, reason])).toEqual([
      [false, "1 probe failed, last: status 404"],
      [false, "1 request failed, last: connect refused"],
      [false, "1 probe failed, last: status 404"],
    ])
  })

  test("a backend whose page hangs stays out however many requests it answers", () => {
    const { board, answer } = boardOf(1, 1)
    board.probeFailed(0, "no answer within 2s", "connection")
    for (let request = 0; request < 10; request++) answer(0)
    expect([board.against(0), board.serving.has(0)]).toEqual(["silent", true])
  })

  test.each(["page", "silent", "probes", "requests"] as const)(
    "what is against a backend outlives the worker that found it: %s",
    (against) => {
      const { board } = boardOf()
      board.recall(0, 5, "why", against)
      expect([board.against(0), board.reason(0), board.since(0)]).toEqual([against, "why", 5])
    },
  )

  test("a backend that is recalled stands as it did", () => {
    const { board, changes } = boardOf()
    board.recall(0, 5, "3 probes failed, last: status 404", "page")
    board.recall(1, 6, "3 requests failed, last: connect refused", "requests")
    expect([board.against(0), board.against(1), changes.length]).toEqual(["page", "requests", 0])
    expect([board.since(0), board.reason(1)]).toEqual([
      5,
      "3 requests failed, last: connect refused",
    ])
    expect([board.serving.has(0), board.serving.has(1)]).toEqual([true, false])
  })
})

describe("requests that were sent before a change of health", () => {
  test("close nothing when they are answered after it", () => {
    const { board, refuse } = boardOf()
    const old = { ...anyone, ticket: board.ticket(0) }
    for (let request = 0; request < 3; request++) refuse(0)
    for (let request = 0; request < 10; request++) board.answered(0, old)
    expect(board.healthy.has(0)).toBe(false)
    board.probeSucceeded(0)
    board.failed(0, NO_RESPONSE, "closed before a response", old)
    board.probeSucceeded(0)
    expect(board.healthy.has(0)).toBe(true)
  })

  test("open nothing when they fail after it", () => {
    const { board, refuse } = boardOf()
    for (let request = 0; request < 3; request++) refuse(0)
    const old = { ...anyone, ticket: board.ticket(0) }
    for (let probe = 0; probe < 2; probe++) board.probeSucceeded(0)
    for (let request = 0; request < 10; request++) {
      board.failed(0, NOT_CONNECTED, "connect timed out", old)
    }
    expect(board.healthy.has(0)).toBe(true)
    expect(board.failures(0).get("connect timed out")).toBe(10)
  })

  test("of a backend that had the place before say nothing of the new one", () => {
    const { board } = boardOf(1, 1)
    const old = { ...anyone, ticket: board.ticket(0) }
    board.admit(0)
    board.failed(0, NOT_CONNECTED, "connect refused", old)
    expect(board.healthy.has(0)).toBe(true)
  })
})

describe("a backend that fails again within a minute", () => {
  type Board = ReturnType<typeof boardOf>["board"]

  /** Fails until it is out, and succeeds until it is back. Returns how many successes that took. */
  function relapse(flapping: Board, index = 0): number {
    while (flapping.healthy.has(index)) flapping.probeFailed(index, "status 500", "response")
    let successes = 0
    while (!flapping.healthy.has(index)) {
      flapping.probeSucceeded(index)
      successes++
    }
    return successes
  }

  test("has to show twice as many successes each time, up to a limit", () => {
    const { board, clock, changes } = boardOf(3, 2, 8)
    const shown: number[] = []
    for (let time = 0; time < 6; time++) {
      shown.push(relapse(board))
      clock.time += 59_000
    }
    expect(shown).toEqual([2, 4, 8, 16, 16, 16])
    expect(changes.at(-1)).toEqual([0, true, "16 probes succeeded"])
    // The others are not asked for more.
    expect(relapse(board, 1)).toBe(2)
  })

  test("has a failure in between for which all begins anew", () => {
    const { board } = boardOf(1, 2, 8)
    relapse(board)
    board.probeFailed(0, "status 500", "response")
    for (let good = 0; good < 3; good++) board.probeSucceeded(0)
    board.probeFailed(0, "status 500", "response")
    for (let good = 0; good < 3; good++) board.probeSucceeded(0)
    expect(board.healthy.has(0)).toBe(false)
    board.probeSucceeded(0)
    expect(board.healthy.has(0)).toBe(true)
  })

  test("is forgiven when it has stood for a minute", () => {
    const { board, clock } = boardOf(3, 2, 8)
    expect([relapse(board), relapse(board)]).toEqual([2, 4])
    clock.time += 60_000
    expect([relapse(board), relapse(board)]).toEqual([2, 4])
  })

  test("is asked for no more than others when there is no back-off", () => {
    const { board } = boardOf(3, 2)
    expect([1, 2, 3, 4].map(() => relapse(board))).toEqual([2, 2, 2, 2])
  })

  test("obeys a smaller limit at once", () => {
    const { board } = boardOf(1, 2, 8)
    for (let time = 0; time < 3; time++) relapse(board)
    board.probeFailed(0, "status 500", "response")
    board.configure({ failures: 1, successes: 2, backoff: 1 })
    for (let good = 0; good < 2; good++) board.probeSucceeded(0)
    expect(board.healthy.has(0)).toBe(true)
  })
})
