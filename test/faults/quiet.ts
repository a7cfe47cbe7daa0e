/**
 * What must hold after any storm: nobody is connected, nothing is in flight, and only idle connections of the pools
 * are left, in the gauges as well as in the lists behind them.
 */
import { expect } from "bun:test"
import { readdirSync } from "node:fs"
import { Deadlines, type Deadlined } from "../../src/core/deadlines.ts"
import type { TestBalancer } from "../support/balancer.ts"
import { until } from "../support/until.ts"

/** Every connection of this process that has ever had a deadline. */
const connections: WeakRef<Deadlined>[] = []
const add = Deadlines.prototype.add
Deadlines.prototype.add = function (this: Deadlines, entry: Deadlined): void {
  connections.push(new WeakRef(entry))
  add.call(this, entry)
}

interface Gauges {
  readonly clients: number
  readonly active: number
  readonly dialing: number
  readonly tunnels: number
  /** Entries of the list of deadlines, less the idle connections that have to be there. */
  readonly strayDeadlines: number
}

export const calm: Gauges = { clients: 0, active: 0, dialing: 0, tunnels: 0, strayDeadlines: 0 }

export function gaugesOf(balancer: TestBalancer): Gauges {
  const idle = balancer.figure("bunlb_backend_connections", 'state="idle"')
  return {
    clients: balancer.figure("bunlb_client_connections"),
    active: balancer.figure("bunlb_backend_connections", 'state="active"'),
    dialing: balancer.figure("bunlb_backend_connections", 'state="dialing"'),
    tunnels: balancer.figure("bunlb_tunnels"),
    strayDeadlines: balancer.deadlines.size - idle,
  }
}

/** Waits until the balancer is at rest; shows the gauges as they are when it does not come to rest. */
export async function comesToRest(balancer: TestBalancer, ms: number = 3000): Promise<void> {
  const rests = (): boolean => Bun.deepEquals(gaugesOf(balancer), calm)
  await until(rests, ms, "rest").catch(() => {})
  expect(gaugesOf(balancer)).toEqual(calm)
}

/** A stack or a register may point at some for a while. */
const HANDFUL = 6

/** Descriptors of this process before and after many faults, and the connections that there were. */
export class Leftovers {
  #descriptors = 0

  note(): void {
    this.#descriptors = descriptors()
  }

  async areNone(): Promise<void> {
    const alive = (): number => {
      Bun.gc(true)
      return connections.filter((each) => each.deref() !== undefined).length
    }
    await until(() => descriptors() <= this.#descriptors, 3000, "descriptors").catch(() => {})
    expect(descriptors()).toBeLessThanOrEqual(this.#descriptors)
    await until(() => alive() <= HANDFUL, 3000, "the collector").catch(() => {})
    expect(alive()).toBeLessThanOrEqual(HANDFUL)
    expect(connections.length).toBeGreaterThan(10 * HANDFUL)
  }
}

function descriptors(): number {
  return readdirSync("/dev/fd").length
}
