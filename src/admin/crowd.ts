/**
 * A limit on the connections of an admin listener, which `Bun.serve` has none of: whoever reaches the port could
 * otherwise take all descriptors of the process. Looked at from time to time; who has come since the last look, and is
 * too many, is hung up on. A short question between two looks is answered all the same: nobody can lock others out.
 *
 * Cost: 1 us a look while the process has few descriptors, else some 3 ms for each 1,000 of them, at most a thousandth
 * of the time. On Linux alone: elsewhere nobody tells whose a descriptor is.
 */
import { statSync } from "node:fs"
import { libc } from "../net/libc.ts"
import { connectionsOf } from "../net/newcomers.ts"

/** Viewers, scrapers, probes and people are far fewer. */
const MOST_CONNECTIONS = 256
const PERIOD_MS = 1_000
const SHARE_OF_TIME = 1 / 1_000
const SHUT_RDWR = 2

/** For the listener at `port`, until the function that it gives is called. */
export function limitConnections(
  port: number,
  most: number = MOST_CONNECTIONS,
  periodMs: number = PERIOD_MS,
  shareOfTime: number = SHARE_OF_TIME,
): () => void {
  if (process.platform !== "linux") return () => {}
  /** By descriptor, those who have been there longest first. */
  let stay: readonly number[] = []
  const look = (): void => {
    const began = performance.now()
    const inside = descriptors() > most ? connectionsOf(port) : []
    const known = stay.filter((fd) => inside.includes(fd))
    const all = [...known, ...inside.filter((fd) => !known.includes(fd))]
    stay = all.slice(0, most)
    for (const fd of all.slice(most)) libc().shutdown(fd, SHUT_RDWR)
    timer = later(Math.max(periodMs, (performance.now() - began) / shareOfTime))
  }
  const later = (ms: number): Timer => {
    const next = setTimeout(look, ms)
    next.unref()
    return next
  }
  let timer = later(periodMs)
  return () => clearTimeout(timer)
}

/** Open in this process; kernels before 6.2 do not say, and are looked at in full. */
function descriptors(): number {
  return statSync("/proc/self/fd").size || Infinity
}
