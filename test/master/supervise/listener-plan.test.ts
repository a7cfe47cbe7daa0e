/** Which listeners stay, come and go. */
import { afterAll, expect, test } from "bun:test"
import type { ListenerSettings } from "../../../src/config/schema/settings.ts"
import { closeAll, listenFor, planListeners } from "../../../src/master/supervise/listener-plan.ts"
import type { Listening } from "../../../src/master/supervise/listening.ts"
import { present } from "../../support/present.ts"
import { refusedPort } from "../../support/refused-port.ts"
import { testSettings } from "../settings.ts"

const own = present(testSettings().listeners[0])
const taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
afterAll(() => taken.stop(true))

function at(name: string, port: number, host = "127.0.0.1"): ListenerSettings {
  return { ...own, name, host, port }
}

function names(listeners: readonly Listening[]): string[] {
  return listeners.map(({ settings }) => settings.name)
}

function opened(...listeners: ListenerSettings[]) {
  return listenFor({ ...testSettings(), listeners, workers: 2 }, null)
}

test("what is the same stays, by name and address, also when a port of 0 has become a number", () => {
  const [one, two] = [at("one", refusedPort()), at("two", 0)]
  const before = opened(one, two)
  const present_ = before.map(({ listening }) => listening)
  const bound = present(present_[1]?.port)
  expect(before.map(({ fds }) => fds.length)).toEqual([2, 2])
  const same = planListeners(present_, [at("two", bound), one], 2)
  expect([names(same.next), same.fresh.length, same.gone.length]).toEqual([["two", "one"], 0, 0])
  const plan = planListeners(present_, [two, at("one", refusedPort()), at("three", 0)], 3)
  expect(names(plan.next)).toEqual(["two", "one", "three"])
  expect(names(plan.kept)).toEqual(["two"])
  expect(plan.gone).toEqual([present(present_[0])])
  expect(plan.fresh.map(({ fds }) => fds.length)).toEqual([3, 3])
  closeAll([...plan.fresh, ...before])
})

test("an address of our own is no reason to refuse: another name, another host, a swap", () => {
  const [first, second] = [refusedPort(), refusedPort()]
  const before = opened(at("one", first), at("two", second))
  const present_ = before.map(({ listening }) => listening)
  const plan = planListeners(present_, [at("one", second), at("two", first, "0.0.0.0")], 1)
  expect([plan.kept.length, plan.fresh.length, plan.gone.length]).toEqual([0, 2, 2])
  closeAll([...plan.fresh, ...before])
})

test("one that cannot be bound leaves nothing of those before it, and is named", () => {
  const free = refusedPort()
  const fails = () => planListeners([], [at("one", free), at("two", taken.port)], 1)
  expect(fails).toThrow(
    `listener two: port ${taken.port} on 127.0.0.1 is already in use; stop what listens there or choose another (`,
  )
  expect(() => planListeners([], [at("default", taken.port)], 1)).toThrow(/^port .* with --port/)
  closeAll(opened(at("again", free)))
})
