/**
 * Whether the listeners take connections: each is dialled ten times a second, and in every look once something is odd.
 * They count as open as long as none of them refuses.
 */
import type { AdminAddress } from "../config/schema/admin-address.ts"
import { Line } from "./line.ts"

/** How often a listener is dialled while nothing is odd. */
export const PORT_MS = 100
/** A dial that hangs longer is given up. Until the kernel gives it up too it costs a descriptor. */
export const DIAL_MS = 1_000

interface Probe {
  readonly address: AdminAddress
  line: Line | null
  dialledAt: number
  refuses: boolean
}

export class PortProbes {
  readonly #probes: readonly Probe[]
  readonly #told: (open: boolean) => void

  /** `told` hears after each dial that ends whether all are open. */
  constructor(addresses: readonly AdminAddress[], told: (open: boolean) => void) {
    this.#told = told
    this.#probes = addresses.map((address) => ({
      ...{ address, line: null, dialledAt: -Infinity, refuses: false },
    }))
  }

  /** `soon`: without waiting for the time of the next dial. */
  dial(now: number, soon: boolean): void {
    for (const probe of this.#probes) {
      const sinceMs = now - probe.dialledAt
      const waits = probe.line !== null && sinceMs < DIAL_MS
      if (!waits && (sinceMs >= PORT_MS || soon)) this.#dial(probe, now)
    }
  }

  /** Nothing is heard of the dials under way. */
  drop(): void {
    for (const probe of this.#probes) {
      probe.line?.drop()
      probe.line = null
    }
  }

  #dial(probe: Probe, now: number): void {
    probe.line?.drop()
    probe.dialledAt = now
    const line = new Line(probe.address, {
      opened: () => this.#ended(probe, line, false),
      received: () => {},
      gone: (refused) => this.#ended(probe, line, refused ? true : null),
    })
    probe.line = line
  }

  /** Null: neither open nor refused, which says nothing. */
  #ended(probe: Probe, line: Line, refuses: boolean | null): void {
    line.drop()
    if (probe.line === line) probe.line = null
    if (refuses === null) return
    probe.refuses = refuses
    this.#told(!this.#probes.some((each) => each.refuses))
  }
}
