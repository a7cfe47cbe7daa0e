import { describe, expect, test } from "bun:test"
import { CircuitBreaker } from "../../src/health/breaker.ts"
import { present } from "../support/present.ts"
import { rng } from "../support/until.ts"

/** Every state of a breaker with 3 failures and 2 successes, by the events that lead to it. */
const paths = {
  "closed, no failure": "",
  "closed, 1 failure": "f",
  "closed, 2 failures": "ff",
  "open, no success": "fff",
  "open, 1 success": "fffs",
} as const
type State = keyof typeof paths

function breakerIn(state: State): CircuitBreaker {
  const breaker = new CircuitBreaker(3, 2)
  for (const event of paths[state]) send(breaker, event)
  return breaker
}

function send(breaker: CircuitBreaker, event: string): boolean {
  return event === "f" ? breaker.fail() : breaker.succeed()
}

/**
 * What a breaker will do from now on, told apart by trying: how far it is from opening and from
 * closing.
 */
function stateOf(make: () => CircuitBreaker): State {
  const open = make().isOpen
  const breaker = make()
  let steps = 1
  while (!send(breaker, open ? "s" : "f")) steps++
  const states: Record<string, State> = {
    "closed 3": "closed, no failure",
    "closed 2": "closed, 1 failure",
    "closed 1": "closed, 2 failures",
    "open 2": "open, no success",
    "open 1": "open, 1 success",
  }
  return present(states[`${open ? "open" : "closed"} ${steps}`])
}

describe("the breaker: state, event, next state, changed", () => {
  const table: [State, "f" | "s", State, boolean][] = [
    ["closed, no failure", "s", "closed, no failure", false],
    ["closed, no failure", "f", "closed, 1 failure", false],
    ["closed, 1 failure", "s", "closed, no failure", false],
    ["closed, 1 failure", "f", "closed, 2 failures", false],
    ["closed, 2 failures", "s", "closed, no failure", false],
    ["closed, 2 failures", "f", "open, no success", true],
    ["open, no success", "s", "open, 1 success", false],
    ["open, no success", "f", "open, no success", false],
    ["open, 1 success", "s", "closed, no failure", true],
    ["open, 1 success", "f", "open, no success", false],
  ]

  test("covers every state and event", () => {
    const cells = new Set(table.map(([state, event]) => state + event))
    expect(cells.size).toBe(Object.keys(paths).length * 2)
  })

  test.each(table)("%s, %s -> %s, %p", (state, event, next, changed) => {
    expect(send(breakerIn(state), event)).toBe(changed)
    const after = (): CircuitBreaker => {
      const breaker = breakerIn(state)
      send(breaker, event)
      return breaker
    }
    expect(stateOf(after)).toBe(next)
  })

  test("with thresholds of 1 a single event turns it", () => {
    const breaker = new CircuitBreaker(1, 1)
    expect([breaker.fail(), breaker.isOpen]).toEqual([true, true])
    expect([breaker.succeed(), breaker.isOpen]).toEqual([true, false])
  })

  test("for all histories and thresholds: only consecutive events count", () => {
    const random = rng(61)
    for (let round = 0; round < 200; round++) {
      const failures = random.between(1, 5)
      const successes = random.between(1, 5)
      const breaker = new CircuitBreaker(failures, successes)
      let open = false
      let run = 0
      for (let event = 0; event < 200; event++) {
        const failed = random.next() < 0.6
        run = failed === open ? 0 : run + 1
        const turns = run === (open ? successes : failures)
        expect(failed ? breaker.fail() : breaker.succeed()).toBe(turns)
        if (turns) [open, run] = [!open, 0]
        expect(breaker.isOpen).toBe(open)
      }
    }
  })
})
