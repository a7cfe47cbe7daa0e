/**
 * Membership against a slow and obvious model, under long random sequences: backends come, change their TLS and
 * weight, leave while they are busy, return, and are swept, also while the names of others are still being resolved.
 * After each step every index has one owner, the rotation reaches exactly those it should, and the counters add up.
 */
import { describe, expect, onTestFinished, spyOn, test } from "bun:test"
import type { BackendSettings } from "../../src/config/schema/settings.ts"
import { Upstream } from "../../src/proxy/backend/upstream.ts"
import { testBackend } from "../master/settings.ts"
import { present } from "../support/present.ts"
import { settings, World } from "./membership-world.ts"

test.each([1, 2, 3, 4, 5, 6])("whatever happens in whatever order, seed %d", async (seed) => {
  const world = new World(seed)
  for (let round = 0; round < 150; round++) {
    await world.change()
    for (let i = world.random.between(0, 10); i > 0; i--) world.act()
  }
})

describe("a change of one backend of a thousand", () => {
  const names = Array.from({ length: 1000 }, (_, i) => `b${i}.test:80`)

  /** A world with a thousand, and how many were configured or looked up since. */
  async function thousand(part: Partial<BackendSettings> = {}) {
    const world = new World(1, false)
    const backends = names.map((name) => testBackend(name, part))
    const rules = present(settings.pools[0])
    await world.apply({ ...rules, backends }, () => {})
    const configured = spyOn(Upstream.prototype, "configure")
    onTestFinished(() => configured.mockRestore())
    const apply = async (...next: Parameters<typeof Object.assign>): Promise<boolean[]> => {
      const alike: boolean[] = []
      const wanted = Object.assign({}, rules, { backends }, ...next)
      await world.apply(wanted, (backendsOnly) => void alike.push(backendsOnly))
      return alike
    }
    return { world, backends, configured, apply }
  }

  test.each([false, true])(
    "touches one, whether it is drained, weighed or replaced (TLS: %p)",
    async (tls) => {
      const { world, backends, configured, apply } = await thousand({ tls })
      const change = async (more: Partial<BackendSettings>): Promise<void> => {
        configured.mockClear()
        const next = backends.with(700, { ...present(backends[700]), ...more })
        expect(await apply({ backends: next })).toEqual([true])
      }
      await change({ duty: "drain" })
      expect(configured).toHaveBeenCalledTimes(1)
      expect(world.roster.isEligible(700)).toBeFalse()
      expect(world.roster.serving).toHaveLength(999)
      await change({ weight: 7 })
      expect(configured).toHaveBeenCalledTimes(1)
      expect(world.roster.serving[700]?.weight).toBe(7)
      await change({ name: "other.test:80", host: "other.test" })
      expect(world.roster.serving.map(({ name }) => name)).toContain("other.test:80")
      expect(world.roster.serving.map(({ name }) => name)).not.toContain("b700.test:80")
      expect(world.roster.serving).toHaveLength(1000)
      await change({})
      expect(world.roster.serving.map(({ name }) => name).toSorted()).toEqual(names.toSorted())
    },
  )

  test("touches all when a rule for all of them has changed as well", async () => {
    const { configured, apply } = await thousand()
    expect(await apply({ hostHeader: "other" })).toEqual([false])
    expect(configured).toHaveBeenCalledTimes(1000)
  })

  test("is made whole by the next one when it failed half way", async () => {
    const { world, backends, configured, apply } = await thousand()
    const bad = backends.with(3, { ...testBackend("b3.test:80"), tls: true, ca: "/nowhere.pem" })
    const rules = { hostHeader: "other" }
    await expect(apply({ backends: bad }, rules)).rejects.toThrow("/nowhere.pem")
    expect(await apply(rules)).toEqual([false])
    expect(configured).toHaveBeenCalledTimes(1000)
    expect(world.roster.serving).toHaveLength(1000)
  })
})
