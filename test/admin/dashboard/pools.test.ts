/** How the backends of several pools are told apart on the dashboard. */
import { expect, test } from "bun:test"
import { byPool, describePool, nameInPool } from "../../../src/admin/dashboard/pools.ts"
import type { PoolStatus } from "../../../src/master/figures/status.ts"

function pool(name: string, ...listeners: readonly string[]): PoolStatus {
  return { name, strategy: "round_robin", listeners, backends: 1, usable: 1 }
}

test("backends are below their pools: those of the configuration first, then those that left", () => {
  const backends = [
    { name: "old/a:80", pool: "old" },
    { name: "web/a:80", pool: "web" },
    { name: "b:80" },
    { name: "web/c:80", pool: "web" },
    { name: "d:80", pool: "default" },
  ]
  const groups = byPool([pool("default"), pool("empty"), pool("web")], backends, (each) => each)
  const shown = groups.map((group) => [group.pool, ...group.backends.map(nameInPool)])
  expect(shown).toEqual([
    ["default", "b:80", "d:80"],
    ["empty"],
    ["web", "a:80", "c:80"],
    ["old", "a:80"],
  ])
  expect(byPool([], [], (each) => each)).toEqual([])
})

test("only the name of its own pool is taken off a backend", () => {
  expect(nameInPool({ name: "web/a:80", pool: "api" })).toBe("web/a:80")
  expect(nameInPool({ name: "web/a:80" })).toBe("web/a:80")
})

test("a pool says whose requests it gets", () => {
  const told = [pool("a"), pool("b", "x"), pool("c", "x", "y"), null].map(describePool)
  expect(told).toEqual([
    "round_robin, no listener",
    "round_robin, listener x",
    "round_robin, listeners x, y",
    "removed",
  ])
})
