/**
 * A worker is told what has changed, and not everything each time: whatever order changes come in, also while one is
 * being applied or after one that failed, it serves by the settings that the master means.
 */
import { expect, test } from "bun:test"
import { DEFAULT_NAME, withBackends } from "../../../src/config/schema/pools.ts"
import type { Settings } from "../../../src/config/schema/settings.ts"
import { applyChange, onlyBackendsChanged } from "../../../src/config/settings-change.ts"
import { Overrides } from "../../../src/master/control/overrides.ts"
import type { FromWorker, ToWorker } from "../../../src/master/supervise/protocol.ts"
import { Told } from "../../../src/master/supervise/told.ts"
import { WorkerService } from "../../../src/master/supervise/worker-service.ts"
import type { Worker } from "../../../src/worker/types.ts"
import { present } from "../../support/present.ts"
import { testBackend, testSettings } from "../settings.ts"
import { PATIENCE_MS, until } from "../../support/until.ts"

const backends = Array.from({ length: 1000 }, (_, i) => testBackend(`b${i}.test:80`))
const settings = testSettings({ backends })

function draining(at: number): Settings {
  return { ...settings, backends: backends.with(at, { ...present(backends[at]), duty: "drain" }) }
}

/** A worker that takes its time with each change, and what it was given and has answered. */
function slowWorker(fails: (settings: Settings) => boolean = () => false) {
  const applied: Settings[] = []
  const said: FromWorker[] = []
  const apply = async (next: Settings): Promise<void> => {
    await Bun.sleep(2)
    if (fails(next)) throw new Error("cannot")
    applied.push(next)
  }
  const worker = { port: 1, apply, stop() {}, report: () => ({}) } as unknown as Worker
  const service = new WorkerService({
    ...{ index: 0, descriptors: { first: () => -1, next: () => -1 }, end() {} },
    start: async (options) => {
      applied.push(options.settings)
      return worker
    },
    send: (message) => void said.push(message),
  })
  const told = new Told()
  const sizes: number[] = []
  const send = (message: ToWorker): void => {
    sizes.push(JSON.stringify(message).length)
    service.receive(structuredClone(message))
  }
  let question = 0
  return {
    ...{ applied, said, sizes },
    start: (first: Settings) =>
      send({
        type: "init",
        ...told.everything(first),
        ...{ heartbeatMs: 1e6, listeners: [], ailing: [] },
      }),
    tell: (next: Settings) => send({ type: "apply", ...told.news(next), question: question++ }),
    faults: async (count: number) => {
      const answers = () => said.flatMap((each) => (each.type === "applied" ? [each.fault] : []))
      await until(() => answers().length === count, PATIENCE_MS, "the answers")
      service.receive({ type: "stop" })
      return answers()
    },
  }
}

test("changes that come while one is being applied are all made, in their order", async () => {
  const worker = slowWorker()
  worker.start(settings)
  const wanted = [
    draining(0),
    draining(999),
    settings,
    draining(5),
    { ...draining(5), hostHeader: "x" },
  ]
  for (const next of wanted) worker.tell(next)
  expect(await worker.faults(5)).toEqual([null, null, null, null, null])
  expect(worker.applied).toEqual([settings, ...wanted])
  // One of a thousand is a few hundred bytes.
  expect(Math.max(...worker.sizes.slice(1))).toBeLessThan(1000)
})

test("the change after one that failed is complete", async () => {
  const worker = slowWorker(({ hostHeader }) => hostHeader === "bad")
  worker.start(settings)
  worker.tell({ ...draining(1), hostHeader: "bad" })
  const next = { ...draining(2), hostHeader: "good" }
  worker.tell(next)
  expect(await worker.faults(2)).toEqual(["cannot", null])
  expect(worker.applied).toEqual([settings, next])
})

test("what has not changed is the same object from change to change", async () => {
  const worker = slowWorker()
  worker.start(settings)
  worker.tell(draining(3))
  worker.tell(draining(4))
  await worker.faults(2)
  const [, before, after] = worker.applied
  expect(after?.backends.filter((each, i) => each !== before?.backends[i])).toHaveLength(2)
  expect(after?.limits).toBe(before?.limits as Settings["limits"])
})

test("a worker that follows a dead one is told everything, and then what has changed since", () => {
  const told = new Told()
  told.everything(settings)
  told.news(draining(1))
  expect(told.everything(draining(1)).settings).toEqual(draining(1))
  expect(told.news(draining(2)).change.backends).toHaveLength(4)
})

test("a drain by an operator is told as one backend, whatever the settings consist of", () => {
  const overrides = new Overrides()
  const configured = withBackends(testSettings(), DEFAULT_NAME, backends)
  const before = overrides.over(configured)
  overrides.setDuty("b7.test:80", "drain")
  const after = overrides.over(structuredClone(configured))
  const told = new Told()
  told.everything(before)
  const { change } = told.news(after)
  expect(JSON.stringify(change).length).toBeLessThan(1000)
  const got = applyChange(before, structuredClone(change))
  expect(got).toEqual(after)
  expect(onlyBackendsChanged(before, got)).toBeTrue()
})
