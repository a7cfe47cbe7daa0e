/** A change of settings names what has changed and nothing else; applied, it gives the settings it was made for. */
import { describe, expect, test } from "bun:test"
import { applyChange, changeOf, onlyBackendsChanged } from "../../src/config/settings-change.ts"
import type { BackendSettings, Settings } from "../../src/config/schema/settings.ts"
import { testBackend, testSettings } from "../master/settings.ts"
import { rng } from "../support/until.ts"

const many = Array.from({ length: 1000 }, (_, i) => testBackend(`b${i}.test:80`))
const settings = testSettings({ backends: many })

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
    const after = { ...settings, backends }
    const told = changeOf(settings, sent(after))
    expect(told).toEqual({ others: {}, backends: [[0, 500], backends[500], [501, 499]] })
    expect(JSON.stringify(told).length).toBeLessThan(400)
    const got = change(settings, after)
    expect(got).toEqual(after)
    expect(got.backends.filter((each, i) => each !== many[i])).toHaveLength(1)
    expect(onlyBackendsChanged(settings, got)).toBeTrue()
  })

  test("of nothing is empty", () => {
    expect(changeOf(settings, sent(settings))).toEqual({ others: {}, backends: [[0, 1000]] })
    expect(changeOf({ ...settings, backends: [] }, { ...settings, backends: [] })).toEqual({
      ...{ others: {}, backends: [] },
    })
  })

  test("of a rule names the rule, and leaves the backends", () => {
    const after = { ...settings, health: { ...settings.health, failures: 9 } }
    const told = changeOf(settings, sent(after))
    expect(told).toEqual({ others: { health: after.health }, backends: [[0, 1000]] })
    const got = change(settings, after)
    expect(got).toEqual(after)
    expect(got.limits).toBe(settings.limits)
    expect(onlyBackendsChanged(settings, got)).toBeFalse()
  })

  test("that takes a setting of a backend away does so", () => {
    const held = { ...settings, backends: [{ ...testBackend("a.test:80"), duty: "off" as const }] }
    const after = { ...settings, backends: [testBackend("a.test:80")] }
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
    let before: Settings = { ...settings, backends: some() }
    for (let round = 0; round < 500; round++) {
      const failures = random.between(1, 3)
      const health = { ...settings.health, failures }
      const after = { ...settings, health, backends: some() }
      before = change(before, after)
      expect(before).toEqual(after)
    }
  })
})
