/**
 * What a worker counts for each backend, as it crosses the process boundary: numbers by place, and of those only what
 * has changed. Text (names, reasons, addresses) crosses when it changes, so a quiet backend costs nothing to report.
 *
 * A cell is three numbers: the row of the backend, the column, and by how much the value has grown. Columns below 100
 * are the fixed ones below, those from 100 to 999 are status codes, and those from 1000 on are reasons of failures, by
 * their number in the worker's list.
 */
import type { Against } from "../health/backend-health.ts"
import { DURATION_BOUNDS } from "./histogram.ts"

/** Gauges come first: what a worker held is taken back when it is gone. */
export const ACTIVE = 0
export const IDLE = 1
export const DIALING = 2
export const TUNNELS = 3
export const GAUGES = 4
export const REUSES = 4
export const DIALS = 5
export const FAILED_DIALS = 6
export const PROBES_OK = 7
export const PROBES_FAILED = 8
export const TO_HEALTHY = 9
export const TO_UNHEALTHY = 10
export const REQUESTS = 11
export const FAILURES = 12
/** Milliseconds. */
export const DURATION_SUM = 13
/** The first of the buckets of the durations; each counts its own alone. */
export const BUCKETS = 14
export const BUCKET_COUNT = DURATION_BOUNDS.length + 1
export const COLUMNS = BUCKETS + BUCKET_COUNT

export const FIRST_STATUS = 100
export const STATUSES = 900
/** The column of the worker's first reason. */
export const FIRST_REASON = 1000
/** Numbers of a cell: row, column, increase. */
export const CELL = 3

/** What a worker knows of a backend beside its counters. */
export interface BackendFacts {
  readonly row: number
  /** The name of its pool. */
  readonly pool: string
  /** With the name of its pool, unless that is the default one. */
  readonly name: string
  readonly tls: boolean
  readonly weight: number
  readonly backup: boolean
  readonly healthy: boolean
  readonly draining: boolean
  /** Wall clock of the last change of health, milliseconds since 1970. */
  readonly since: number
  /** Which record makes it unhealthy; null for a healthy one. */
  readonly against?: Against | null
  /** Why it is as it is: "3 probes failed, last: status 503"; empty when it never changed. */
  readonly reason: string
  /** Addresses that the name stands for now. */
  readonly addresses: readonly string[]
}

/** Some of what has changed, in the order in which it is to be applied. */
export interface SeriesChunk {
  /** Reasons of failures that are new, in the order of their numbers. */
  readonly reasons: readonly string[]
  /** Rows that are new or have changed. */
  readonly facts: readonly BackendFacts[]
  readonly cells: Float64Array
  /** Rows that end. Their numbers may come again, with other facts. */
  readonly gone: readonly number[]
}
