/** How the backends of several pools are told apart on the dashboard. */
import { expect, test } from "bun:test"
import { byPool, nameInPool } from "../../../src/admin/dashboard/pools.ts"

test("backends are grouped by pool, in the order in which the pools first come", () => {
  const backends = [
    { name: "web/a:80", pool: "web" },
    { name: "b:80" },
    { name: "web/c:80", pool: "web" },
    { name: "d:80", pool: "default" },
  ]
  const groups = byPool(backends, (each) => each)
  const shown = groups.map(({ pool, backends: members }) => [pool, ...members.map(nameInPool)])
  expect(shown).toEqual([
    ["web", "a:80", "c:80"],
    ["default", "b:80", "d:80"],
  ])
  expect(byPool([], (each) => each)).toEqual([])
})

test("only the name of its own pool is taken off a backend", () => {
  expect(nameInPool({ name: "web/a:80", pool: "api" })).toBe("web/a:80")
  expect(nameInPool({ name: "web/a:80" })).toBe("web/a:80")
})
