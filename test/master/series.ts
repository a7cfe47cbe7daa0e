/** What a worker would tell of its backends, made of figures that a test holds. */
import { BackendFigures } from "../../src/observe/figures.ts"
import {
  COLUMNS,
  FAILURES,
  FIRST_REASON,
  type BackendFacts,
  type SeriesChunk,
} from "../../src/observe/backend-series.ts"

export function factsOf(row: number, name: string, more: Partial<BackendFacts> = {}): BackendFacts {
  return {
    ...{
      row,
      pool: "default",
      name,
      tls: false,
      weight: 1,
      backup: false,
      healthy: true,
      draining: false,
    },
    ...{ since: 0, reason: "", addresses: [], ...more },
  }
}

/** Facts and nothing else. */
export function factsAlone(...facts: readonly BackendFacts[]): SeriesChunk {
  return { reasons: [], facts, cells: new Float64Array(0), gone: [] }
}

/** One backend of one worker. */
export class ToldBackend {
  readonly figures = new BackendFigures()
  failures = 0
  readonly #row: number
  readonly #name: string
  readonly #told = new Float64Array(COLUMNS)
  readonly #codes = new Map<number, number>()
  #isNew = true

  constructor(name: string, row = 0) {
    this.#row = row
    this.#name = name
  }

  /** What is new since the last call. */
  chunk(more: Partial<BackendFacts> = {}): SeriesChunk {
    const values = new Float64Array(COLUMNS)
    this.figures.copyTo(values)
    values[FAILURES] = this.failures
    const cells: number[] = []
    values.forEach((value, column) => {
      const told = this.#told[column] ?? 0
      if (value !== told) cells.push(this.#row, column, value - told)
    })
    const toldFailures = this.#told[FAILURES] ?? 0
    if (this.failures > toldFailures) {
      cells.push(this.#row, FIRST_REASON, this.failures - toldFailures)
    }
    this.#told.set(values)
    for (const code of this.figures.codes) {
      const count = this.figures.count(code)
      cells.push(this.#row, code, count - (this.#codes.get(code) ?? 0))
      this.#codes.set(code, count)
    }
    const reasons = this.#isNew ? ["timeout"] : []
    this.#isNew = false
    const facts = [factsOf(this.#row, this.#name, more)]
    return { reasons, facts, cells: new Float64Array(cells), gone: [] }
  }
}
