/** What happened lately, for people: changes of health, ends of workers. Bounded; the log has it all. */
export type JournalKind = "good" | "bad" | "note"

export interface JournalEntry {
  /** Grows by one an entry. */
  readonly id: number
  /** Milliseconds since 1970. */
  readonly at: number
  readonly kind: JournalKind
  /** One line, for people. */
  readonly text: string
}

const LIMIT = 200

export class Journal {
  readonly #entries: JournalEntry[]
  #next: number

  constructor(past: readonly JournalEntry[] = []) {
    this.#entries = [...past]
    this.#next = (past.at(-1)?.id ?? 0) + 1
  }

  add(kind: JournalKind, text: string, at: number): void {
    this.#entries.push({ id: this.#next++, at, kind, text })
    if (this.#entries.length > LIMIT) this.#entries.shift()
  }

  /** The oldest first. */
  get entries(): readonly JournalEntry[] {
    return this.#entries
  }
}
