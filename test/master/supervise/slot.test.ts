/**
 * A slot, state by event. Each cell says in which state the slot then is, what its worker was told, and what else
 * happened: `killed`, `died` (told to the fleet), `spawned`, `closed` (its descriptor is closed).
 */
import { fstatSync } from "node:fs"
import { afterAll, describe, expect, test } from "bun:test"
import type { Link, LinkEvents } from "../../../src/master/supervise/link.ts"
import { Listening } from "../../../src/master/supervise/listening.ts"
import type { FromWorker, ToWorker } from "../../../src/master/supervise/protocol.ts"
import { Slot } from "../../../src/master/supervise/slot.ts"
import type { SlotState } from "../../../src/master/supervise/slot-options.ts"
import { fleetLimits } from "../../../src/master/supervise/watch-limits.ts"
import { openListener } from "../../../src/net/open-listener.ts"
import type { WorkerReport } from "../../../src/observe/snapshot.ts"
import { present } from "../../support/present.ts"
import { testSettings } from "../settings.ts"

const settings = testSettings()
const report = { clients: 1, inFlight: 0, samples: {} } as unknown as WorkerReport

const ends: (() => void)[] = []
afterAll(() => {
  for (const end of ends) end()
})

/** A slot whose workers are in the test's hands. */
class Bench {
  readonly sent: ToWorker[] = []
  readonly done: string[] = []
  readonly listening: Listening
  readonly #fd: number
  readonly slot: Slot
  now = 0
  cannotStart = false
  #events: LinkEvents | null = null

  constructor() {
    const own = present(settings.listeners[0])
    const opened = openListener(own, 1)
    this.listening = new Listening(0, own, opened)
    this.#fd = present(opened.fds[0])
    this.slot = new Slot({
      ...{ index: 0, id: 0, settings, limits: fleetLimits, waits: false, ailing: [] },
      listeners: [[this.listening, this.#fd]],
      clock: { now: () => this.now },
      openLink: (_index, _fds, events) => this.#open(events),
      events: {
        died: (_slot, { reason }) => void this.done.push(`died: ${reason}`),
        health: () => {},
        series: () => {},
        reported: () => {},
        log: () => {},
      },
    })
    this.slot.start().catch(() => {})
    ends.push(() => {
      void this.slot.stop()
      this.end()
      this.listening.leave()
    })
  }

  #open(events: LinkEvents): Link {
    if (this.cannotStart) throw new Error("no process")
    this.#events = events
    this.done.push("spawned")
    return {
      pid: 1,
      send: (message) => void this.sent.push(message),
      give: () => true,
      kill: () => void this.done.push("killed"),
    }
  }

  hear(message: FromWorker): void {
    this.#events?.message(message)
  }

  /** The worker's process ends. */
  end(): void {
    this.#events?.ended({ code: null, signal: "SIGKILL", cpuSeconds: 0 })
  }

  get isClosed(): boolean {
    try {
      return !fstatSync(this.#fd).isSocket()
    } catch {
      return true
    }
  }

  forget(): void {
    this.sent.length = this.done.length = 0
  }
}

const states: Readonly<Record<SlotState, (bench: Bench) => void>> = {
  starting: () => {},
  serving: (bench) => {
    bench.hear({ type: "hello" })
    bench.hear({ type: "ready", port: 1 })
  },
  resting: (bench) => {
    states.serving(bench)
    // It has died young so often that the next one waits.
    for (let deaths = 0; deaths < 3; deaths++) bench.end()
  },
  draining: (bench) => {
    states.serving(bench)
    void bench.slot.drain(1_000)
  },
  gone: (bench) => {
    states.draining(bench)
    bench.end()
  },
}

const SILENCE_MS = 1e6

const events: Readonly<Record<string, (bench: Bench) => void>> = {
  hello: (bench) => bench.hear({ type: "hello" }),
  ready: (bench) => bench.hear({ type: "ready", port: 1 }),
  failed: (bench) => bench.hear({ type: "failed", code: "BUNLB_E_LISTEN", message: "no" }),
  heartbeat: (bench) => bench.hear({ type: "heartbeat", clients: 1, inFlight: 0 }),
  report: (bench) => bench.hear({ type: "report", answers: [], report }),
  closed: (bench) => bench.hear({ type: "closed", id: null }),
  drained: (bench) => bench.hear({ type: "drained", cut: 1, sending: 0, report }),
  "process ends": (bench) => bench.end(),
  silence: (bench) => {
    bench.now += SILENCE_MS
    bench.slot.watch()
  },
  apply: (bench) => void bench.slot.apply(settings),
  accept: (bench) => bench.slot.accept(),
  leave: (bench) => void bench.slot.leave(bench.listening, 1_000),
  drain: (bench) => void bench.slot.drain(1_000),
  stop: (bench) => void bench.slot.stop(),
}

/** By event: what comes of it while starting, serving, resting, draining and gone. */
const table: Readonly<Record<string, readonly string[]>> = {
  hello: ["starting, init", "serving, init", "resting", "draining, init", "gone"],
  ready: ["serving, report", "serving", "resting", "draining", "gone"],
  failed: ["starting, stop", "serving, stop", "resting", "draining, stop", "gone"],
  heartbeat: ["starting", "serving", "resting", "draining", "gone"],
  report: ["starting", "serving", "resting", "draining", "gone"],
  closed: ["starting, closed", "serving, closed", "resting", "draining, closed", "gone"],
  drained: ["starting, stop", "serving, stop", "resting", "draining, stop", "gone"],
  "process ends": [
    "gone, died: killed, closed",
    "starting, died: killed, spawned",
    "resting",
    "gone, died: killed, closed",
    "gone",
  ],
  silence: ["starting, killed", "serving, killed", "resting", "draining, killed", "gone"],
  apply: ["starting", "serving, apply", "resting", "draining, apply", "gone"],
  accept: ["starting, accept", "serving, accept", "resting", "draining, accept", "gone"],
  leave: ["starting, closed", "serving, leave", "resting, closed", "draining, leave", "gone"],
  drain: ["draining, stop, closed", "draining, drain", "gone, closed", "draining", "gone"],
  stop: [
    "draining, stop, closed",
    "draining, stop, closed",
    "gone, closed",
    "draining, stop, closed",
    "gone",
  ],
}

async function outcome(state: SlotState, event: string): Promise<string> {
  const bench = new Bench()
  states[state](bench)
  expect(bench.slot.state).toBe(state)
  bench.forget()
  const wasClosed = bench.isClosed
  present(events[event])(bench)
  await Promise.resolve()
  const told = bench.sent.map(({ type }) => type)
  const closed = bench.isClosed && !wasClosed ? ["closed"] : []
  return [bench.slot.state, ...told, ...bench.done, ...closed].join(", ")
}

describe.each(Object.keys(events))("%s", (event) => {
  test.each(Object.keys(states) as SlotState[])("while %s", async (state) => {
    const column = Object.keys(states).indexOf(state)
    expect(await outcome(state, event)).toBe(present(present(table[event])[column]))
  })
})

test("a process that cannot be started again counts as a death, and the socket stays", async () => {
  const bench = new Bench()
  states.serving(bench)
  bench.cannotStart = true
  bench.forget()
  bench.end()
  expect(bench.slot.state).toBe("resting")
  expect(bench.done.filter((each) => each.startsWith("died"))).toHaveLength(3)
  expect(bench.isClosed).toBe(false)
})

test("a listener that comes while a worker starts is given to it when it says hello, one that went is not", async () => {
  const bench = new Bench()
  const other = { ...present(settings.listeners[0]), name: "other" }
  const opened = openListener(other, 1)
  const listening = new Listening(1, other, opened)
  expect(await bench.slot.listen(listening, present(opened.fds[0]))).toBeNull()
  void bench.slot.leave(bench.listening, 1_000)
  expect(bench.sent).toEqual([])
  bench.hear({ type: "hello" })
  const [init, listen] = bench.sent
  expect(init).toMatchObject({ type: "init", listeners: [null] })
  expect(listen).toMatchObject({ type: "listen", listener: { id: 1, waits: true } })
  // The next one is started with what there is then.
  bench.slot.accept()
  bench.hear({ type: "ready", port: 1 })
  bench.end()
  bench.forget()
  bench.hear({ type: "hello" })
  expect(bench.sent).toMatchObject([{ type: "init", listeners: [{ id: 1, waits: false }] }])
  listening.leave()
})

test("a listener that leaves is let go by the worker, which says what it cut", async () => {
  const bench = new Bench()
  states.serving(bench)
  bench.forget()
  const left = bench.slot.leave(bench.listening, 1_000)
  const [leave] = bench.sent
  if (leave?.type !== "leave") throw new Error("not told")
  expect(bench.isClosed).toBe(false)
  bench.hear({ type: "closed", id: 0 })
  expect(bench.isClosed).toBe(true)
  bench.hear({ type: "left", answers: leave.question, cut: 2, sending: 0 })
  expect(await left).toBe(2)
  expect(bench.slot.state).toBe("serving")
})
