/** The time limits by which the master watches its workers. A test shortens them; nobody else needs to. */
export interface FleetLimits {
  /** A worker says that it lives this often. */
  readonly heartbeatMs: number
  /** Silent for so long, it hangs: it is killed. */
  readonly hungMs: number
  /** From spawn to ready, with DNS lookups in between. */
  readonly startMs: number
  /** For a fresh report; after that the last one serves. */
  readonly reportMs: number
  /** For one of the workers to say that it lives, when a standby's watcher asks. */
  readonly pulseMs: number
  /** Silent for so long, though it was asked, a worker counts as hung by those who ask. */
  readonly quietMs: number
  /** For new settings to be in force, with DNS lookups in between. */
  readonly applyMs: number
  /** From the start of a bunlb that follows this one until all of it serves. */
  readonly upgradeMs: number
  /** Over the drain limit, for the last words of a worker; after that it is killed. */
  readonly lastWordsMs: number
}

export const fleetLimits: FleetLimits = {
  heartbeatMs: 1_000,
  hungMs: 5_000,
  startMs: 30_000,
  reportMs: 500,
  pulseMs: 100,
  quietMs: 1_500,
  applyMs: 10_000,
  upgradeMs: 45_000,
  lastWordsMs: 2_000,
}
