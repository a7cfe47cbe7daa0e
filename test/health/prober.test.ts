import { describe, expect, test } from "bun:test"
import type { Reach } from "../../src/health/backend-health.ts"
import { Prober, type ProbeHandle, type ProbeTransport } from "../../src/health/prober.ts"
import { present } from "../support/present.ts"
import { rng } from "../support/until.ts"

type Done = (ok: boolean | null, reason: string, reach: Reach) => void

/** Probes that the test answers by hand, and what the prober said about them. */
class Probed implements ProbeTransport {
  readonly begun: number[] = []
  readonly aborted: number[] = []
  readonly verdicts: string[] = []
  readonly reaches: Reach[] = []
  readonly pending = new Map<number, Done>()
  /** Backends that answer within `probe` itself. */
  instant = false
  /** Backends that take the connection. */
  connected = false

  probe(index: number, done: Done): ProbeHandle {
    if (this.pending.has(index)) throw new Error(`two probes at once on ${index}`)
    this.begun.push(index)
    if (this.instant) done(true, "", "response")
    else this.pending.set(index, done)
    return {
      connected: this.connected,
      abort: () => {
        this.aborted.push(index)
        this.pending.delete(index)
      },
    }
  }

  answer(index: number, ok: boolean | null, reason = "", reach: Reach = "response"): void {
    const done = this.pending.get(index)
    this.pending.delete(index)
    done?.(ok, reason, reach)
  }

  probeFailed(index: number, reason: string, reach: Reach): void {
    this.verdicts.push(`${index} failed: ${reason}`)
    this.reaches.push(reach)
  }

  probeSucceeded(index: number): void {
    this.verdicts.push(`${index} ok`)
  }
}

function probing(size: number, random = () => 0.5, timeout = 2000) {
  const probed = new Probed()
  const prober = new Prober(size, { interval: 5000, timeout }, probed, probed, random)
  return { probed, prober }
}

describe("the prober", () => {
  test("judges nobody by a probe that bunlb itself could not send, and asks again", () => {
    const { probed, prober } = probing(1)
    prober.start(0)
    probed.answer(0, null, "out of descriptors")
    expect(probed.verdicts).toEqual([])
    expect([...prober.ok, ...prober.failed]).toEqual([0, 0])
    prober.tick(5000)
    probed.answer(0, true)
    expect(probed.verdicts).toEqual(["0 ok"])
  })

  test("probes everyone at once, then once in every interval", () => {
    const { probed, prober } = probing(3)
    probed.instant = true
    prober.start(100)
    expect(probed.begun).toEqual([0, 1, 2])
    for (let now = 100; now < 100 + 20_000; now += 100) prober.tick(now)
    expect(probed.begun.filter((index) => index === 1).length).toBe(4)
    expect([...prober.ok]).toEqual([4, 4, 4])
  })

  test("spreads many first probes over a tenth of the interval", () => {
    const { probed, prober } = probing(100)
    prober.start(0)
    expect(probed.begun.length).toBe(1)
    prober.tick(250)
    expect(probed.begun.length).toBe(51)
    prober.tick(500)
    expect(probed.begun.length).toBe(100)
  })

  test("the interval varies by a tenth either way", () => {
    for (const [drawn, interval] of [
      [0, 4500],
      [0.5, 5000],
      [0.999999, 5500],
    ] as const) {
      const { probed, prober } = probing(1, () => drawn)
      probed.instant = true
      prober.start(0)
      prober.tick(interval - 1)
      expect(probed.begun.length).toBe(1)
      prober.tick(interval)
      expect(probed.begun.length).toBe(2)
    }
  })

  test("passes verdicts on and counts them", () => {
    const { probed, prober } = probing(2)
    prober.start(0)
    probed.answer(1, false, "status 503")
    probed.answer(0, true)
    expect(probed.verdicts).toEqual(["1 failed: status 503", "0 ok"])
    expect([[...prober.ok], [...prober.failed]]).toEqual([
      [1, 0],
      [0, 1],
    ])
  })

  test("no answer in time is a failure, the probe is aborted, a late answer means nothing", () => {
    const { probed, prober } = probing(1)
    prober.start(0)
    const late = probed.pending.get(0)
    prober.tick(1999)
    expect(probed.verdicts).toEqual([])
    prober.tick(2000)
    expect(probed.aborted).toEqual([0])
    late?.(true, "", "response")
    expect(probed.verdicts).toEqual(["0 failed: no answer within 2s"])
    prober.tick(5000)
    late?.(true, "", "response")
    probed.answer(0, true)
    expect(probed.verdicts).toEqual(["0 failed: no answer within 2s", "0 ok"])
  })

  test("says a limit that is no whole second in milliseconds", () => {
    const { probed, prober } = probing(1, () => 0.5, 250)
    prober.start(0)
    prober.tick(250)
    expect(probed.verdicts).toEqual(["0 failed: no answer within 250ms"])
  })

  test("never has two probes on one backend, even with a limit longer than the interval", () => {
    const { probed, prober } = probing(1, () => 0.5, 12_000)
    prober.start(0)
    for (let now = 0; now < 12_000; now += 100) prober.tick(now)
    expect(probed.begun.length).toBe(1)
    prober.tick(12_000)
    expect(probed.begun.length).toBe(2)
  })

  test("an answer given twice counts once", () => {
    const { probed, prober } = probing(1)
    prober.start(0)
    const done = probed.pending.get(0)
    done?.(true, "", "response")
    done?.(false, "again", "response")
    expect(probed.verdicts).toEqual(["0 ok"])
  })

  test("after stop all probes are aborted and nothing is said or begun", () => {
    const { probed, prober } = probing(2)
    prober.start(0)
    const done = probed.pending.get(1)
    prober.stop()
    expect(probed.aborted).toEqual([0, 1])
    done?.(true, "", "response")
    prober.tick(10_000)
    expect(probed.verdicts).toEqual([])
    expect(probed.begun.length).toBe(2)
  })

  test("stopped by a verdict, it begins nothing more in the same tick", () => {
    const { probed, prober } = probing(2)
    prober.start(0)
    probed.answer(1, true)
    probed.probeFailed = () => prober.stop()
    prober.tick(6000)
    expect(probed.begun.length).toBe(2)
  })

  test("for all answers: each backend keeps its rhythm whatever the others do", () => {
    const random = rng(71)
    const { probed, prober } = probing(8, random.next)
    prober.start(0)
    for (let now = 0; now <= 100_000; now += 100) {
      for (const index of [...probed.pending.keys()]) {
        // Backend 0 never answers.
        if (index > 0 && random.next() < 0.5) probed.answer(index, random.next() < 0.5, "x")
      }
      prober.tick(now)
    }
    for (let index = 0; index < 8; index++) {
      const begun = probed.begun.filter((probe) => probe === index).length
      expect(begun).toBeGreaterThanOrEqual(18)
      expect(begun).toBeLessThanOrEqual(23)
      expect(present(prober.ok[index]) + present(prober.failed[index])).toBeGreaterThanOrEqual(
        begun - 1,
      )
    }
    expect(prober.ok[0]).toBe(0)
  })
})
