/**
 * Reports the figures of a worker's backends to the master: only what has changed since the last report, and in pieces
 * of a fraction of a millisecond, because it runs in the event loop that serves requests. A pass over all backends is
 * `begin` and then `next` until that is null; between two pieces the caller lets the event loop run.
 *
 * Cost: about 1 us for an unchanged backend, up to 3 us for one with traffic, nearly all of it for memory that is no
 * longer in the cache.
 */
import type { Address, Resolver } from "../net/names/resolver.ts"
import {
  CELL,
  COLUMNS,
  DIALING,
  DIALS,
  FAILED_DIALS,
  FAILURES,
  FIRST_REASON,
  GAUGES,
  IDLE,
  PROBES_FAILED,
  PROBES_OK,
  REQUESTS,
  REUSES,
  STATUSES,
  TO_HEALTHY,
  TO_UNHEALTHY,
  ACTIVE,
  TUNNELS,
} from "../observe/backend-series.ts"
import type { BackendFacts, SeriesChunk } from "../observe/backend-series.ts"
import { processClock } from "../core/clock.ts"
import type { Upstream } from "../proxy/backend/upstream.ts"
import type { WorkerPools } from "./worker-pools.ts"

/** Time for one piece of a pass. */
const BUDGET_MS = 0.2
/** The clock is read once for this many backends. */
const STRIDE = 4
/** A piece ends when it has this many cells, or this many facts. */
const ENOUGH_CELLS = 1_024
const ENOUGH_FACTS = 64
/** More than the reasons that one backend can have; see `HealthBoard`. */
const REASONS_OF_ONE = 64
const CAPACITY = ENOUGH_CELLS + STRIDE * (COLUMNS + STATUSES + REASONS_OF_ONE)

/** What has been reported of one label. A backend that starts again under its name continues the same row. */
class Told {
  readonly row: number
  readonly values = new Float64Array(COLUMNS)
  readonly codes = new Map<number, number>()
  readonly reasons = new Map<string, number>()
  facts: BackendFacts | null = null
  addresses: readonly Address[] = []
  /** The last pass that looked at it. */
  pass = 0

  constructor(row: number) {
    this.row = row
  }
}

export interface ReportParts {
  readonly pools: Pick<WorkerPools, "upstreams">
  readonly resolver: Resolver
}

export class BackendReports {
  readonly #parts: ReportParts
  readonly #told = new Map<string, Told>()
  readonly #freeRows: number[] = []
  #rows = 0
  /** Backends that the current pass must skip: they have left, or another one continues their figures. */
  readonly #ended = new WeakSet<Upstream>()
  readonly #reasons = new Map<string, number>()
  readonly #current = new Float64Array(COLUMNS)
  readonly #cells = new Float64Array(CAPACITY * CELL)
  #used = 0
  #newReasons: string[] = []
  #facts: BackendFacts[] = []
  #gone: number[] = []
  /** Full pieces that have not been taken yet. */
  readonly #waiting: SeriesChunk[] = []
  #pass = 0
  #upstreams: readonly Upstream[] = []
  #place = 0
  #inFlight = 0

  constructor(parts: ReportParts) {
    this.#parts = parts
  }

  /** Requests and tunnels at backends, as of the last look at each. */
  get inFlight(): number {
    return this.#inFlight
  }

  /** Begins a pass. The current one ends. */
  begin(): void {
    this.#pass++
    this.#upstreams = this.#parts.pools.upstreams
    this.#place = 0
  }

  /** The next piece, or null when the pass is over. A piece may be empty. */
  next(budgetMs = BUDGET_MS): SeriesChunk | null {
    const waiting = this.#waiting.shift()
    if (waiting !== undefined) return waiting
    if (this.#place >= this.#upstreams.length && this.#isEmpty()) return null
    const until = processClock.now() + budgetMs
    while (this.#place < this.#upstreams.length && !this.#isFull()) {
      const end = Math.min(this.#place + STRIDE, this.#upstreams.length)
      for (; this.#place < end; this.#place++) this.#look(this.#upstreams[this.#place])
      if (processClock.now() >= until) break
    }
    return this.#take()
  }

  /** `upstream` replaces `before` and continues its figures. The two may be the same. */
  renew(upstream: Upstream, before: Upstream): void {
    this.#ended.add(before)
    this.#ended.delete(upstream)
  }

  /** `upstream` has left and is done: its last figures are reported, then its row is free. */
  end(upstream: Upstream): void {
    this.#ended.add(upstream)
    const { label } = upstream
    const told = this.#rowFor(label)
    this.#tell(upstream, told)
    this.#told.delete(label)
    this.#inFlight -= told.values[ACTIVE] + told.values[TUNNELS]
    this.#gone.push(told.row)
    if (this.#isFull()) this.#waiting.push(this.#take())
  }

  #isEmpty(): boolean {
    return this.#used === 0 && this.#facts.length === 0 && this.#gone.length === 0
  }

  #isFull(): boolean {
    const { length } = this.#facts
    return this.#used >= ENOUGH_CELLS || length >= ENOUGH_FACTS || this.#gone.length >= ENOUGH_FACTS
  }

  #take(): SeriesChunk {
    const chunk: SeriesChunk = {
      reasons: this.#newReasons,
      facts: this.#facts,
      cells: this.#cells.slice(0, this.#used * CELL),
      gone: this.#gone,
    }
    // The number of a row that has ended may be used again in a later piece only.
    this.#freeRows.push(...this.#gone)
    this.#used = 0
    this.#newReasons = []
    this.#facts = []
    this.#gone = []
    return chunk
  }

  #look(upstream: Upstream): void {
    if (this.#ended.has(upstream)) return
    const told = this.#rowFor(upstream.label)
    // Of two backends with one label only the first counts: the other has left, and the first continues its figures.
    if (told.pass === this.#pass) return
    told.pass = this.#pass
    this.#tell(upstream, told)
  }

  #rowFor(label: string): Told {
    const known = this.#told.get(label)
    if (known !== undefined) return known
    const told = new Told(this.#freeRows.pop() ?? this.#rows++)
    this.#told.set(label, told)
    return told
  }

  #tell(upstream: Upstream, told: Told): void {
    this.#tellFacts(upstream, told)
    const { board } = upstream.pool
    const { index } = upstream.candidate
    const failures = board.failures(index)
    if (failures.size === 0 && this.#isQuiet(upstream, told)) return
    const current = this.#current
    this.#fill(current, upstream, failures)
    const { row, values } = told
    this.#inFlight += current[ACTIVE] + current[TUNNELS] - values[ACTIVE] - values[TUNNELS]
    for (let column = 0; column < COLUMNS; column++) {
      const value = current[column]
      const before = values[column]
      if (value === before) continue
      values[column] = value
      // A counter that has fallen started again from zero.
      this.#put(row, column, column >= GAUGES && value < before ? value : value - before)
    }
    const { figures } = upstream
    for (let i = 0; i < figures.codes.length; i++) {
      const code = figures.codes[i]
      const count = figures.count(code)
      const before = told.codes.get(code) ?? 0
      if (count === before) continue
      told.codes.set(code, count)
      this.#put(row, code, count < before ? count : count - before)
    }
    if (failures.size > 0) this.#tellFailures(told, failures)
  }

  #tellFailures({ row, reasons }: Told, failures: ReadonlyMap<string, number>): void {
    for (const [reason, count] of failures) {
      const before = reasons.get(reason) ?? 0
      if (count === before) continue
      reasons.set(reason, count)
      this.#put(row, this.#reasonColumn(reason), count < before ? count : count - before)
    }
  }

  /** True if nothing has happened at a backend that has never failed. Then buckets and codes are not compared. */
  #isQuiet({ figures, idle, candidate, transitions, pool }: Upstream, { values }: Told): boolean {
    const { prober } = pool
    return (
      figures.requests === values[REQUESTS] &&
      figures.active === values[ACTIVE] &&
      figures.tunnels === values[TUNNELS] &&
      figures.dialing === values[DIALING] &&
      figures.dials === values[DIALS] &&
      figures.failedDials === values[FAILED_DIALS] &&
      figures.reuses === values[REUSES] &&
      idle.size === values[IDLE] &&
      prober.ok[candidate.index] === values[PROBES_OK] &&
      prober.failed[candidate.index] === values[PROBES_FAILED] &&
      transitions.healthy === values[TO_HEALTHY] &&
      transitions.unhealthy === values[TO_UNHEALTHY] &&
      values[FAILURES] === 0
    )
  }

  #fill(row: Float64Array, upstream: Upstream, failures: ReadonlyMap<string, number>): void {
    const { prober } = upstream.pool
    const { index } = upstream.candidate
    upstream.figures.copyTo(row)
    row[IDLE] = upstream.idle.size
    row[PROBES_OK] = prober.ok[index]
    row[PROBES_FAILED] = prober.failed[index]
    row[TO_HEALTHY] = upstream.transitions.healthy
    row[TO_UNHEALTHY] = upstream.transitions.unhealthy
    row[FAILURES] = sum(failures)
  }

  #put(row: number, column: number, increase: number): void {
    const at = this.#used++ * CELL
    this.#cells[at] = row
    this.#cells[at + 1] = column
    this.#cells[at + 2] = increase
  }

  #reasonColumn(reason: string): number {
    const known = this.#reasons.get(reason)
    if (known !== undefined) return known
    const column = FIRST_REASON + this.#reasons.size
    this.#reasons.set(reason, column)
    this.#newReasons.push(reason)
    return column
  }

  #tellFacts(upstream: Upstream, told: Told): void {
    const { resolver } = this.#parts
    const { settings, candidate, gone, pool, label } = upstream
    const { board, roster } = pool
    const { index, weight, backup } = candidate
    const healthy = board.healthy.has(index)
    const draining = gone || roster.isDraining(index)
    const since = board.since(index)
    const reason = board.reason(index)
    const against = board.against(index)
    const addresses = resolver.addresses(settings.host)
    const { facts } = told
    const same =
      facts !== null &&
      facts.healthy === healthy &&
      facts.draining === draining &&
      facts.since === since &&
      facts.reason === reason &&
      facts.against === against &&
      facts.weight === weight &&
      facts.backup === backup &&
      facts.tls === settings.tls &&
      told.addresses === addresses
    if (same) return
    told.addresses = addresses
    const { tls } = settings
    told.facts = {
      ...{
        row: told.row,
        pool: pool.name,
        name: label,
        tls,
        weight,
        backup,
        healthy,
        draining,
        since,
        reason,
      },
      against,
      addresses: addresses.map(({ ip }) => ip),
    }
    this.#facts.push(told.facts)
  }
}

/** Most backends have no failures: no iterator is created for them. */
function sum(counts: ReadonlyMap<string, number>): number {
  if (counts.size === 0) return 0
  let total = 0
  for (const count of counts.values()) total += count
  return total
}
