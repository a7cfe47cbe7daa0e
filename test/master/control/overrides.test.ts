/** What an operator changed by hand, and how long it holds. */
import { expect, test } from "bun:test"
import type { BackendSettings } from "../../../src/config/schema/settings.ts"
import { Overrides } from "../../../src/master/control/overrides.ts"
import { testBackend, testSettings } from "../settings.ts"

const base = testSettings({ backends: [testBackend("a:80"), testBackend("b:80")] })

const names = (control: Overrides): string[] =>
  control.over(base).backends.map(({ name, weight, duty }) => `${name} ${weight} ${duty ?? "on"}`)

test("it lies over the configuration, which stays as it is", () => {
  const control = new Overrides()
  control.setDuty("a:80", "drain")
  control.setWeight("b:80", 5)
  control.add(testBackend("c:80"))
  expect(names(control)).toEqual(["a:80 1 drain", "b:80 5 on", "c:80 1 on"])
  expect(control.lines()).toEqual(["c:80 added", "b:80 weight 5", "a:80 draining"])
  control.setDuty("a:80", undefined)
  control.remove("b:80")
  control.remove("c:80")
  expect(names(control)).toEqual(["a:80 1 on"])
  expect(control.lines()).toEqual(["b:80 removed", "c:80 removed"])
  control.add(testBackend("b:80", { weight: 9 }))
  expect(names(control)).toEqual(["a:80 1 on", "b:80 9 on"])
})

test("what is said of a discovered backend holds for its members, unless one is told otherwise", () => {
  const member = { of: "dns+http://w:80", host: "w" }
  const settings = testSettings({
    backends: [testBackend("dns+http://w:80", { discover: "dns" }), testBackend("a:80")],
  })
  const expand = (backends: readonly BackendSettings[]): readonly BackendSettings[] =>
    backends.flatMap((each) => (each.discover ? ["m:80", "n:80"].map(memberNamed) : [each]))
  const memberNamed = (name: string): BackendSettings => testBackend(name, { member })
  const control = new Overrides()
  const shown = (): string[] =>
    control
      .over(settings, expand)
      .backends.map((each) => `${each.name} ${each.duty} ${each.weight}`)
  control.setDuty("dns+http://w:80", "drain")
  control.setDuty("n:80", "off")
  control.setWeight("m:80", 4)
  expect(shown()).toEqual(["m:80 drain 4", "n:80 off 1", "a:80 undefined 1"])
  control.remove("m:80")
  expect(shown()).toEqual(["n:80 off 1", "a:80 undefined 1"])
  control.settle(settings.backends, settings.backends, new Set(["m:80", "n:80"]))
  expect(shown()).toEqual(["n:80 off 1", "a:80 undefined 1"])
  control.forgetMember("m:80")
  control.forgetMember("n:80")
  expect(shown()).toEqual(["m:80 drain 1", "n:80 drain 1", "a:80 undefined 1"])
  control.remove("dns+http://w:80")
  expect(shown()).toEqual(["a:80 undefined 1"])
})

test("a reload leaves it alone, unless it says the same, another weight, or nothing of the backend", () => {
  const control = new Overrides()
  control.setDuty("a:80", "off")
  control.setDuty("b:80", "drain")
  control.setWeight("a:80", 7)
  control.add(testBackend("c:80"))
  control.settle(base.backends, base.backends)
  expect(control.lines()).toHaveLength(4)
  const after = testSettings({
    backends: [testBackend("a:80", { weight: 2 }), testBackend("c:80", { weight: 3 })],
  })
  control.settle(base.backends, after.backends)
  expect(control.lines()).toEqual(["a:80 disabled"])
  expect(control.over(after).backends.map(({ weight }) => weight)).toEqual([2, 3])
})

test("what was removed by hand and then from the file may come back by the file", () => {
  const control = new Overrides()
  control.remove("b:80")
  const without = testSettings({ backends: [testBackend("a:80")] })
  control.settle(base.backends, without.backends)
  control.settle(without.backends, base.backends)
  expect(names(control)).toEqual(["a:80 1 on", "b:80 1 on"])
})

test("a backend that the file holds back can be put to work by hand, until the file says otherwise", () => {
  const held = testSettings({
    backends: [testBackend("a:80", { duty: "drain" }), testBackend("b:80", { duty: "off" })],
  })
  const duties = (control: Overrides, settings = held) =>
    control.over(settings).backends.map(({ duty }) => duty ?? "on")
  const control = new Overrides()
  expect(duties(control)).toEqual(["drain", "off"])
  control.setDuty("a:80", "serve")
  control.setDuty("b:80", "drain")
  expect(duties(control)).toEqual(["on", "drain"])
  expect(control.lines()).toEqual(["a:80 enabled", "b:80 draining"])
  const other = new Overrides()
  other.inherit({ ...control.handOver(), configured: [], found: [], graces: [] })
  expect(duties(other)).toEqual(["on", "drain"])
  control.settle(held.backends, held.backends)
  expect(duties(control)).toEqual(["on", "drain"])
  control.settle(held.backends, [testBackend("a:80"), testBackend("b:80", { duty: "off" })])
  expect(control.lines()).toEqual(["b:80 draining"])
})

test("sticky cookies are made with a random key until the configuration names one", () => {
  const keyOf = (control: Overrides, key: string | null = null): string | null => {
    return control.over({ ...base, sticky: { ...base.sticky, key } }).sticky.key
  }
  const control = new Overrides()
  const random = keyOf(control)
  expect(random).toMatch(/^[\w-]{43}$/)
  expect(keyOf(control)).toBe(random)
  expect(keyOf(new Overrides())).not.toBe(random)
  expect(keyOf(control, "correct-horse-battery")).toBe("correct-horse-battery")
  const left = { ...control.handOver(), configured: [], found: [], graces: [] }
  const next = new Overrides()
  next.inherit(left)
  expect(keyOf(next)).toBe(random)
  // Versions before this one leave no key.
  const { stickyKey, ...older } = left
  const after = new Overrides()
  after.inherit(older)
  expect(stickyKey).toBe(random ?? "")
  expect(keyOf(after)).toMatch(/^[\w-]{43}$/)
})
