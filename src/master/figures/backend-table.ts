/**
 * The figures of all backends over all workers, in arrays of numbers. Workers send increases, so they are added up when
 * they come and not when somebody asks: a scrape costs the same with one worker as with sixteen, and what a dead worker
 * counted needs no care. What a worker held (gauges) is taken back when it is gone.
 *
 * Cost: some 20 ns for each cell.
 */
import { DEFAULT_NAME, splitLabel } from "../../config/schema/pools.ts"
import {
  CELL,
  COLUMNS,
  FIRST_REASON,
  FIRST_STATUS,
  GAUGES,
  type BackendFacts,
  type SeriesChunk,
} from "../../observe/backend-series.ts"
import { label } from "../../observe/prometheus.ts"

/** Behind the columns of a worker: responses by the first digit of their status. */
export const STATUS_CLASS = COLUMNS
const CLASSES = 6
export const WIDTH = COLUMNS + CLASSES

/** Backends that have left and are still counted; DNS can name others for ever. */
const MOST_GONE = 64

/** One backend as one worker sees it. */
export interface View {
  readonly worker: number
  /** What the worker holds: see `GAUGES`. */
  readonly gauges: Float64Array
  facts: BackendFacts
}

export class BackendTotals {
  /** With its pool, unless that is the default one. */
  readonly name: string
  readonly pool: string
  /** `backend="NAME"`, and for a backend of another pool than the default one `pool="POOL"`. */
  readonly label: string
  readonly numbers = new Float64Array(WIDTH)
  readonly codes = new Map<number, number>()
  readonly failures = new Map<string, number>()
  /** Of the workers that know it now. */
  views: readonly View[] = []
  /** For the rates: `numbers` as they were at the last look. */
  readonly seen = new Float64Array(WIDTH)
  /** Per second, smoothed. */
  readonly rates = new Float64Array(WIDTH)
  looks = 0

  constructor(name: string) {
    const { pool } = splitLabel(name)
    this.name = name
    this.pool = pool ?? DEFAULT_NAME
    const own = label("backend", name)
    this.label = pool === null ? own : `${own},${label("pool", pool)}`
  }
}

interface Row {
  readonly totals: BackendTotals
  readonly view: View
}

class WorkerRows {
  readonly reasons: string[] = []
  readonly rows: (Row | undefined)[] = []
  /** Over all its backends, since it began. */
  readonly sums = new Float64Array(WIDTH)
  /** `sums` when it last said that it had told all. */
  readonly settled = new Float64Array(WIDTH)
}

export class BackendTable {
  readonly #byName = new Map<string, BackendTotals>()
  readonly #workers = new Map<number, WorkerRows>()
  #present: ReadonlySet<string> = new Set()
  /** Those that have left, the latest last. */
  readonly #gone = new Set<string>()
  #sorted: readonly BackendTotals[] | null = null

  /** By name. */
  get all(): readonly BackendTotals[] {
    this.#sorted ??= [...this.#byName.values()].sort((a, b) => (a.label < b.label ? -1 : 1))
    return this.#sorted
  }

  get(name: string): BackendTotals | undefined {
    return this.#byName.get(name)
  }

  /** What `worker` has counted for all backends, as of its last report. */
  sumsOf(worker: number): Float64Array {
    return this.#rowsOf(worker).settled
  }

  apply(worker: number, { reasons, facts, cells, gone }: SeriesChunk): void {
    const rows = this.#rowsOf(worker)
    rows.reasons.push(...reasons)
    for (const each of facts) this.#learn(worker, rows, each)
    for (let at = 0; at < cells.length; at += CELL) {
      add(rows, rows.rows[cells[at]], cells[at + 1], cells[at + 2])
    }
    for (const row of gone) {
      const ended = rows.rows[row]
      rows.rows[row] = undefined
      if (ended !== undefined) this.#forget(ended)
    }
    if (gone.length > 0) this.#prune()
  }

  /** `worker` has told everything up to its report that came just now. */
  settle(worker: number): void {
    const { sums, settled } = this.#rowsOf(worker)
    settled.set(sums)
  }

  /** `worker` is gone. */
  retire(worker: number): void {
    const rows = this.#workers.get(worker)
    if (rows === undefined) return
    this.#workers.delete(worker)
    for (const row of rows.rows) if (row !== undefined) this.#forget(row)
    this.#prune()
  }

  /**
   * The backends of the settings, known to a worker or not. What was counted for others stays, except for those that
   * left longest ago when there are too many of them.
   */
  keep(names: ReadonlySet<string>): void {
    this.#present = names
    for (const name of names) this.#totalsOf(name)
    this.#prune()
  }

  #rowsOf(worker: number): WorkerRows {
    const known = this.#workers.get(worker)
    if (known !== undefined) return known
    const rows = new WorkerRows()
    this.#workers.set(worker, rows)
    return rows
  }

  #learn(worker: number, rows: WorkerRows, facts: BackendFacts): void {
    const known = rows.rows[facts.row]
    if (known !== undefined && known.totals.name === facts.name) {
      known.view.facts = facts
      return
    }
    const totals = this.#totalsOf(facts.name)
    const view: View = { worker, gauges: new Float64Array(GAUGES), facts }
    totals.views = [...totals.views, view]
    rows.rows[facts.row] = { totals, view }
  }

  #totalsOf(name: string): BackendTotals {
    const known = this.#byName.get(name)
    if (known !== undefined) return known
    const totals = new BackendTotals(name)
    this.#byName.set(name, totals)
    this.#sorted = null
    return totals
  }

  #forget({ totals, view }: Row): void {
    for (let column = 0; column < GAUGES; column++) totals.numbers[column] -= view.gauges[column]
    totals.views = totals.views.filter((each) => each !== view)
  }

  #prune(): void {
    for (const { name, views } of this.#byName.values()) {
      if (this.#present.has(name) || views.length > 0) this.#gone.delete(name)
      else this.#gone.add(name)
    }
    for (const name of this.#gone) {
      if (this.#gone.size <= MOST_GONE) return
      this.#gone.delete(name)
      this.#byName.delete(name)
      this.#sorted = null
    }
  }
}

function add(rows: WorkerRows, row: Row | undefined, column: number, increase: number): void {
  if (row === undefined) return
  const { totals, view } = row
  if (column < COLUMNS) {
    totals.numbers[column] += increase
    rows.sums[column] += increase
    if (column < GAUGES) view.gauges[column] += increase
  } else if (column < FIRST_REASON) {
    totals.codes.set(column, (totals.codes.get(column) ?? 0) + increase)
    const place = STATUS_CLASS + (Math.trunc(column / FIRST_STATUS) % CLASSES)
    totals.numbers[place] += increase
    rows.sums[place] += increase
  } else {
    const reason = rows.reasons[column - FIRST_REASON] ?? "other"
    totals.failures.set(reason, (totals.failures.get(reason) ?? 0) + increase)
  }
}
