/** What failed requests prove: who failed, on what page, and what probes say meanwhile. */
import { describe, expect, test } from "bun:test"
import {
  LATE,
  NOT_CONNECTED,
  NO_RESPONSE,
  RequestBreaker,
  type FailureKind,
  type Outcome,
} from "../../src/health/request-breaker.ts"

const SECOND = 1000

/** A breaker of 3 failures and 2 successes. Requests are written `client/path`: "1/2". */
function watched() {
  const breaker = new RequestBreaker({ failures: 3, successes: 2 })
  let now = 0
  const request = (name: string) => {
    const [client = 0, path = 0] = name.split("/").map(Number)
    return { client, path, ticket: 0, sentAt: now }
  }
  const fail = (name: string, kind: FailureKind = NO_RESPONSE): Outcome =>
    breaker.fail(kind, request(name), now)
  return {
    breaker,
    request,
    fail,
    fails: (...names: string[]): Outcome | undefined => names.map((name) => fail(name)).at(-1),
    answer: (name: string) => breaker.succeed(request(name), now),
    probe: (ok: boolean, answered = true) => breaker.probed(ok, answered, now),
    pass: (ms: number) => void (now += ms),
    avoids: (name: string) => breaker.avoids(request(name), now),
  }
}

describe("three failures in a row", () => {
  test.each([
    ["of several clients and pages open", ["1/1", "2/2", "3/3"], "opened", []],
    ["of two clients and two pages open", ["1/1", "1/2", "2/1"], "opened", []],
    ["of one client and page make those two avoid", ["1/1", "1/1", "1/1"], "avoids", ["1/1"]],
    ["of one client make that avoid", ["1/1", "1/2", "1/3"], "avoids", ["1/1", "1/9"]],
    ["for one page make that avoid", ["1/1", "2/1", "3/1"], "avoids", ["1/1", "9/1"]],
  ] as const)("%s", (_what, failed, outcome, avoided) => {
    const { fails, avoids, breaker } = watched()
    expect(fails(...failed)).toBe(outcome)
    const all = ["1/1", "1/9", "9/1", "9/9"]
    expect(all.filter(avoids)).toEqual([...avoided])
    expect(breaker.isOpen).toBe(outcome === "opened")
  })

  test("open when one was no connection, whoever asked for what", () => {
    for (const at of [0, 1, 2]) {
      const { fail, breaker } = watched()
      for (let i = 0; i < 3; i++) fail("1/1", i === at ? NOT_CONNECTED : NO_RESPONSE)
      expect(breaker.isOpen).toBe(true)
    }
  })

  test("are none in a row with an answer to anything between them", () => {
    const { fails, answer, breaker } = watched()
    for (let round = 0; round < 5; round++) {
      fails("1/1", "2/2")
      answer("3/3")
    }
    expect(breaker.isOpen).toBe(false)
  })

  test("go on with other clients and pages until they are mixed", () => {
    const { fails } = watched()
    expect(fails("1/1", "1/1", "1/1")).toBe("avoids")
    expect(fails("1/1")).toBe("suspected")
    expect(fails("1/2")).toBe("avoids")
    expect(fails("2/1")).toBe("opened")
  })
})

describe("a request that waits in vain", () => {
  test("counts only when nothing was answered after it was sent", () => {
    const { breaker, request, answer, pass } = watched()
    const sent = ["1/1", "2/2", "3/3", "4/4"].map(request)
    pass(SECOND)
    answer("9/9")
    pass(SECOND)
    for (const each of sent) breaker.fail(LATE, each, 2 * SECOND)
    expect(breaker.isOpen).toBe(false)
    const later = ["1/1", "2/2", "3/3"].map(request)
    for (const each of later) breaker.fail(LATE, each, 3 * SECOND)
    expect(breaker.isOpen).toBe(true)
  })
})

describe("after one request that waited in vain", () => {
  test("such requests go elsewhere until a probe gets a response, good or bad", () => {
    for (const ok of [true, false]) {
      const { fail, probe, avoids } = watched()
      fail("1/1", LATE)
      expect(["1/1", "1/2", "2/1"].map(avoids)).toEqual([true, false, false])
      probe(ok, true)
      expect(avoids("1/1")).toBe(false)
    }
  })

  test("or for 10 s, when no probe does", () => {
    const { fail, probe, avoids, pass } = watched()
    fail("1/1", LATE)
    probe(false, false)
    pass(10 * SECOND)
    expect(avoids("1/1")).toBe(true)
    pass(1)
    expect(avoids("1/1")).toBe(false)
  })
})

describe("a probe without a response", () => {
  test("supports failed requests, and counts like one", () => {
    const { fail, probe, breaker } = watched()
    expect(fail("1/1")).toBe("suspected")
    expect(probe(false, false)).toBe("suspected")
    expect(probe(false, false)).toBe("opened")
    expect(breaker.isOpen).toBe(true)
  })

  test("proves nothing by itself, nor does one with the wrong status", () => {
    const { fails, probe, breaker } = watched()
    for (let i = 0; i < 9; i++) probe(false, false)
    fails("1/1", "1/1")
    for (let i = 0; i < 9; i++) probe(false, true)
    expect(breaker.isOpen).toBe(false)
    expect(fails("1/1")).toBe("avoids")
  })

  test("makes one failed request enough, where probes have taken the backend out", () => {
    const { breaker, request } = watched()
    expect(breaker.fail(LATE, request("1/1"), 0, true)).toBe("opened")
  })
})

describe("open, it closes", () => {
  test("by probes when a dial has failed, or when a probe fails meanwhile", () => {
    const dialled = watched()
    for (let i = 0; i < 3; i++) dialled.fail("1/1", NOT_CONNECTED)
    expect([dialled.probe(true), dialled.probe(true)]).toEqual(["none", "closed"])
    const seen = watched()
    seen.fails("1/1", "2/2", "3/3")
    seen.probe(false)
    expect([seen.probe(true), seen.probe(true)]).toEqual(["none", "closed"])
  })

  test("not by probes that were well all the time, but by answered requests", () => {
    const { fails, probe, answer, breaker } = watched()
    fails("1/1", "2/2", "3/3")
    for (let i = 0; i < 10; i++) probe(true)
    expect(breaker.isOpen).toBe(true)
    answer("1/1")
    fails("1/1")
    expect([answer("1/1"), answer("1/1")]).toEqual(["none", "closed"])
  })

  test("by probes after all when there was no trial for long", () => {
    const { fails, probe, pass } = watched()
    fails("1/1", "2/2", "3/3")
    pass(89 * SECOND)
    expect([probe(true), probe(true)]).toEqual(["none", "none"])
    pass(2 * SECOND)
    expect([probe(true), probe(true)]).toEqual(["none", "closed"])
  })
})

describe("trials of one that probes see nothing wrong with", () => {
  test("come after 10 s, then after pauses that double up to a minute", () => {
    const { breaker, fails } = watched()
    fails("1/1", "2/2", "3/3")
    const times: number[] = []
    for (let i = 0; i < 6; i++) {
      const at = breaker.trialAt
      times.push(at / SECOND)
      breaker.beginTrial(at)
    }
    expect(times).toEqual([10, 20, 40, 80, 140, 200])
  })

  test("come later for one that fails again within a minute, up to a minute", () => {
    const { breaker, fails, answer, pass } = watched()
    const first: number[] = []
    let now = 0
    for (let i = 0; i < 5; i++) {
      fails("1/1", "2/2", "3/3")
      first.push((breaker.trialAt - now) / SECOND)
      answer("1/1")
      answer("1/1")
      pass(SECOND)
      now += SECOND
    }
    expect(first).toEqual([10, 20, 40, 60, 60])
  })
})

describe("what avoids it", () => {
  test("is back after two answered trials", () => {
    const { breaker, fails, answer, avoids } = watched()
    fails("1/1", "1/1", "1/1")
    expect(breaker.trialAt).toBe(10 * SECOND)
    expect([answer("1/1"), answer("9/9"), answer("1/1")]).toEqual([
      "none",
      "none",
      "avoids no more",
    ])
    expect([avoids("1/1"), breaker.trialAt]).toEqual([false, Infinity])
  })

  test("is back after long when nothing can be tried, with probes and without", () => {
    for (const probed of [true, false]) {
      const { breaker, fails, probe, pass, avoids } = watched()
      fails("1/1", "1/1", "1/1")
      pass(91 * SECOND)
      expect(probed ? probe(true) : breaker.elapse(91 * SECOND)).toBe("avoids no more")
      expect(avoids("1/1")).toBe(false)
    }
  })
})
