/**
 * Signals that come while the program still starts. HUP, USR1 and USR2 end a process that has no handler for them, and
 * a supervisor may send one as soon as it knows the PID. They are kept from the first line of the program on and obeyed
 * when it serves. Before that line only the runtime starts, for some 15 ms, and a signal ends it as any program.
 */
const wishes = ["SIGHUP", "SIGUSR1", "SIGUSR2"] as const
type Wish = (typeof wishes)[number]

const kept = new Set<Wish>()
const keepers = new Map<Wish, () => void>()

/** From now on these signals no longer end the process. */
export function keepEarlySignals(): void {
  for (const signal of wishes) {
    const keep = (): void => void kept.add(signal)
    keepers.set(signal, keep)
    process.on(signal, keep)
  }
}

/** Those that have come, each once. What comes from now on is for other handlers. */
export function takeEarlySignals(): ReadonlySet<Wish> {
  for (const [signal, keep] of keepers) process.off(signal, keep)
  keepers.clear()
  const taken = new Set(kept)
  kept.clear()
  return taken
}
