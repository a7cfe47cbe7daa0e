/** What was done to a running fleet, or what would be. */
export interface Outcome {
  readonly changes: readonly string[]
  /** Lines that name a setting which waits for a restart. */
  readonly restart: readonly string[]
  /** All that is changed by hand and in no file. */
  readonly byHand: readonly string[]
  /** The file that keeps it. */
  readonly saved?: string
}
