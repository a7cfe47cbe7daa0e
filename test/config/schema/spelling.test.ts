/** "Did you mean": what is suggested, and what is too far off to be. */
import { expect, test } from "bun:test"
import { didYouMean, nearest, nearestByWords } from "../../../src/config/schema/spelling.ts"

const known = ["port", "host", "weight", "backends", "when_all_unhealthy", "log-level"]

test.each([
  ["prot", "port"],
  ["wieght", "weight"],
  ["wait", null],
  ["backend", "backends"],
  ["Backends", "backends"],
  ["whenAllUnhealthy", "when_all_unhealthy"],
  ["log_level", "log-level"],
  ["hots", "host"],
  ["x", null],
  ["", null],
  ["constructor", null],
])("%s -> %s", (word, meant) => {
  expect(nearest(word, known)).toBe(meant)
})

test("the suggestion is a half sentence or nothing", () => {
  expect(didYouMean("prot", known)).toBe(', did you mean "port"?')
  expect(didYouMean("prot", known, "")).toBe(", did you mean port?")
  expect(didYouMean("zzzzzz", known)).toBe("")
})

test.each([
  ["max_connections", "limits.connections"],
  ["limits_conn", "limits.connections"],
  ["connectionsPerClient", "limits.connections_per_client"],
  ["connect", "timeouts.connect"],
  ["max_size", null],
  ["zzz", null],
  ["", null],
])("by its words: %s -> %s", (word, meant) => {
  const keys = ["timeouts.connect", "limits.connections_per_client", "limits.connections"]
  expect(nearestByWords(word, keys)).toBe(meant)
})

test("a very long word costs little", () => {
  expect(nearest("x".repeat(1_000_000), known)).toBeNull()
})
