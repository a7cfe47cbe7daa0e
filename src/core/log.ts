/** What every room may say: one line a call, already complete, never a stack trace at info or above. */
export interface Log {
  error(line: string): void
  warn(line: string): void
  info(line: string): void
  debug(line: string): void
  /** Read before a line is built that costs something. */
  readonly debugging: boolean
}
