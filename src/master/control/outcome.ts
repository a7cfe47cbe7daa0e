/** What was done to a running fleet, or what would be; and who hears that it is being done. */
export interface Outcome {
  readonly changes: readonly string[]
  /** Lines that name a setting which waits for a restart. */
  readonly restart: readonly string[]
  /** All that is changed by hand and in no file. */
  readonly byHand: readonly string[]
  /** The file that keeps it. */
  readonly saved?: string
}

/** Hears of each reload, whoever asked for it and however it ends; not of one that only says what it would do. */
export interface Reloads {
  begin(): void
  end(): void
}
