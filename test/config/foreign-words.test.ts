/** Words of other balancers lead to ours, and only where ours can stand. */
import { expect, test } from "bun:test"
import { advisedKeys, foreignAdvice } from "../../src/config/schema/foreign-words.ts"
import { settingRows } from "../../src/config/schema/schema.ts"

const keys = settingRows.flatMap(({ key }) => [key as string, key.replace(/\..*/, "")])
const quoted = (key: string): string | null => (keys.includes(key) ? `"${key}"` : null)

test.each([
  ["upstreams", ', here it is "backends"'],
  ["lb_policy", ', here it is "strategy"'],
  ["Worker-Processes", ', here it is "workers"'],
  ["set_real_ip_from", ', here it is "trusted_proxies"'],
  ["tls", ", bunlb does not terminate client TLS yet, put it behind something that does"],
  [
    "routes",
    ', bunlb has no routes yet: a listener names the pool that serves it ("listeners", "pools")',
  ],
  ["zzz", null],
  ["toString", null],
])("%s", (word, advice) => {
  expect(foreignAdvice(word, quoted)).toBe(advice)
})

test("no word leads to a key that does not exist", () => {
  expect(advisedKeys.length).toBeGreaterThan(50)
  expect(advisedKeys.filter((key) => !keys.includes(key))).toEqual([])
})

test("inside a group a word has a meaning of its own", () => {
  const advice = ', there are "timeouts.client_idle", "timeouts.pool_idle"'
  expect(foreignAdvice("idle", quoted, "timeouts")).toBe(advice)
  expect(foreignAdvice("upstreams", quoted, "timeouts")).toBeNull()
})

test("a command without backends is told nothing about them", () => {
  expect(foreignAdvice("tls", () => null)).toBeNull()
})
