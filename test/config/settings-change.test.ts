/** A change of settings names what has changed and nothing else; applied, it gives the settings it was made for. */
import { describe, expect, test } from "bun:test"
import { applyChange, changeOf, onlyBackendsChanged } from "../../src/config/settings-change.ts"
import { DEFAULT_NAME, mapPools, withBackends } from "../../src/config/schema/pools.ts"
import type { BackendSettings, PoolSettings, Settings } from "../../src/config/schema/settings.ts"
import { testBackend, testSettings } from "../master/settings.ts"
import { rng } from "../support/until.ts"

const many = Array.from({ length: 1000 }, (_, i) => testBackend(`b${i}.test:80`))
/** As they come from the configuration: those of the default pool. */
function having(backends: readonly BackendSettings[]): Settings {
  return withBackends(testSettings(), DEFAULT_NAME, backends)
}
const settings = having(many)
const unchanged = [{ from: 0, others: {}, backends: null }]

/** As it comes over a channel between processes. */
function sent<T>(value: T): T {
  return structuredClone(value)
}

function change(before: Settings, after: Settings): Settings {
  return applyChange(before, sent(changeOf(before, sent(after))))
}

describe("a change", () => {
  test("of one backend of a thousand names one, and leaves all others the very same objects", () => {
    const backends = many.map((each, i) => (i === 500 ? { ...each, duty: "drain" as const } : each))
    const after = having(backends)
    const told = changeOf(settings, sent(after))
    const pieces = [[0, 500], backends[500], [501, 499]]
    expect<unknown>(told).toEqual({ others: {}, backends: pieces, pools: unchanged })
    expect(JSON.stringify(told).length).toBeLessThan(400)
    const got = change(settings, after)
    expect(got).toEqual(after)
    expect(got.backends.filter((each, i) => each !== many[i])).toHaveLength(1)
    expect(got.pools[0]?.backends).toBe(got.backends)
    expect(onlyBackendsChanged(settings, got)).toBeTrue()
  })

  test("of nothing is empty, and changes no object", () => {
    const told = changeOf(settings, sent(settings))
    expect<unknown>(told).toEqual({ others: {}, backends: [[0, 1000]], pools: unchanged })
    const got = change(settings, settings)
    expect(got.backends).toBe(settings.backends)
    expect(got.pools[0]).toBe(settings.pools[0] as PoolSettings)
    const none = having([])
    expect<unknown>(changeOf(none, sent(none))).toEqual({
      ...{ others: {}, backends: [], pools: unchanged },
    })
  })

  test("of a rule names the rule, and leaves the backends", () => {
    const after = { ...settings, health: { ...settings.health, failures: 9 } }
    const told = changeOf(settings, sent(after))
    expect<unknown>(told).toEqual({
      ...{ others: { health: after.health }, backends: [[0, 1000]], pools: unchanged },
    })
    const got = change(settings, after)
    expect(got).toEqual(after)
    expect(got.limits).toBe(settings.limits)
    expect(onlyBackendsChanged(settings, got)).toBeFalse()
  })

  test("of one pool among several names that one, and a rule of a pool is no change of backends", () => {
    const [main] = settings.pools as [PoolSettings]
    const two = { ...settings, pools: [main, { ...main, name: "b", backends: many.slice(0, 9) }] }
    const drained = many.slice(0, 9).with(4, { ...testBackend("b4.test:80"), duty: "drain" })
    const after = withBackends(two, "b", drained)
    const told = changeOf(two, sent(after))
    expect(told.pools[1]).toEqual({
      from: 1,
      others: {},
      backends: [[0, 4], drained[4], [5, 4]],
    } as never)
    const got = change(two, after)
    expect(got).toEqual(after)
    expect(got.pools[0]).toBe(main)
    expect(onlyBackendsChanged(two, got)).toBeTrue()
    const ruled = mapPools(two, (pool) => ({ ...pool, hostHeader: pool.name === "b" ? "x" : null }))
    const other = change(two, ruled)
    expect(other).toEqual(ruled)
    expect(onlyBackendsChanged(two, other)).toBeFalse()
    expect(other.pools[0]).toBe(main)
    expect(change(two, settings)).toEqual(settings)
    expect(change(settings, two)).toEqual(two)
    expect(onlyBackendsChanged(settings, change(settings, two))).toBeFalse()
    // The order of pools may change, and one may take another's name.
    const swapped = { ...two, pools: two.pools.toReversed() }
    expect(change(two, swapped)).toEqual(swapped)
  })

  test("that takes a setting of a backend away does so", () => {
    const held = having([{ ...testBackend("a.test:80"), duty: "off" as const }])
    const after = having([testBackend("a.test:80")])
    expect(Object.keys(change(held, after).backends[0] ?? {})).not.toContain("duty")
  })

  test("gives what it was made for, whatever comes, goes, moves and changes", () => {
    const random = rng(3)
    const names = Array.from({ length: 12 }, (_, i) => `n${i}.test:80`)
    const some = (): BackendSettings[] =>
      names
        .filter(() => random.next() < 0.6)
        .toSorted(() => random.next() - 0.5)
        .map((name) => testBackend(name, { weight: random.between(1, 2) }))
    let before = having(some())
    for (let round = 0; round < 500; round++) {
      const failures = random.between(1, 3)
      const health = { ...settings.health, failures }
      const after = { ...having(some()), health }
      before = change(before, after)
      expect(before).toEqual(after)
    }
  })
})
