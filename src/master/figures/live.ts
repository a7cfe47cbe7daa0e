/**
 * The fleet as it moves: what the dashboard and `bunlb status --watch` show. Kept in the master from the workers'
 * heartbeats, whether anybody looks or not, so that who opens the page sees the last quarter of an hour.
 */
import type { WorkerReport } from "../../observe/snapshot.ts"
import { Journal } from "./journal.ts"
import type { JournalEntry } from "./journal.ts"
import type { BackendTable } from "./backend-table.ts"
import { RateMeter, ratesOf } from "./rates.ts"
import type { Rates } from "./rates.ts"
import type { Slices } from "../../core/slices.ts"
import type { FleetStatus } from "./status.ts"

/** One second of the whole, small because there are 900 of them: the meaning is in the place. */
export type Moment = readonly [
  /** Milliseconds since 1970. */
  at: number,
  success: number,
  redirect: number,
  clientError: number,
  serverError: number,
  p50: number | null,
  p99: number | null,
  clients: number,
  inFlight: number,
  /** Responses that ended early, whatever status they had. One that an older bunlb has handed over has none. */
  cut?: number,
]

/** All that is shown of now. */
export interface Live {
  readonly at: number
  readonly status: FleetStatus
  readonly whole: Rates
  /** In the order of the status's backends. */
  readonly backends: readonly Rates[]
  readonly moment: Moment
}

/** All that is shown of what was, the oldest first. */
export interface Past {
  readonly moments: readonly Moment[]
  readonly journal: readonly JournalEntry[]
}

/** A quarter of an hour of seconds. */
const MOMENTS = 900

export class Recorder {
  readonly journal: Journal
  readonly #meter = new RateMeter()
  readonly #moments: Moment[]

  /** Goes on with the past of the bunlb before this one, if there is one. */
  constructor(past: Past = { moments: [], journal: [] }) {
    this.journal = new Journal(past.journal)
    this.#moments = [...past.moments]
  }

  /** Call it about once a second. */
  record(reports: readonly WorkerReport[], table: BackendTable, at: number): void {
    this.#meter.look(reports, table)
    const { classes, p50, p99, cut } = this.#meter.whole()
    const [interim = 0, success = 0, redirect = 0, clientError = 0, serverError = 0] = classes
    const clients = reports.reduce((sum, report) => sum + report.clients, 0)
    const inFlight = reports.reduce((sum, report) => sum + report.inFlight, 0)
    const answers = [interim + success, redirect, clientError, serverError] as const
    this.#moments.push([at, ...answers, p50, p99, clients, inFlight, cut])
    if (this.#moments.length > MOMENTS) this.#moments.shift()
  }

  async live(status: FleetStatus, table: BackendTable, at: number, slices: Slices): Promise<Live> {
    const moment = this.#moments.at(-1) ?? [at, 0, 0, 0, 0, null, null, 0, 0]
    const backends: Rates[] = []
    for (const { name } of status.backends) {
      backends.push(ratesOf(table.get(name)))
      if (slices.isOver) await slices.rest()
    }
    return { at, status, whole: this.#meter.whole(), backends, moment }
  }

  past(): Past {
    return { moments: this.#moments, journal: this.journal.entries }
  }
}
