/**
 * A limit on the connections of an admin listener, which `Bun.serve` has none of: without it whoever reaches the port
 * could take all descriptors of the master, and much of its time. The master looks often, and the more often the more
 * there are; what is too many is hung up on, those who came last first. Who is new at a look has time until the next
 * one, enough for a short question: nobody can lock others out. When descriptors run short, that time is not given.
 *
 * Cost: 5 us a look while the process has few descriptors, else some 3 us for each, at most a tenth of the time. On
 * Linux alone: elsewhere nobody tells whose a descriptor is.
 */
import { statSync } from "node:fs"
import { libc } from "../net/linux/libc.ts"
import { descriptorLimit } from "../worker/descriptors.ts"

/** Viewers, scrapers, probes and people are far fewer. */
const MOST_CONNECTIONS = 256
/** Of all descriptors, those that the listener may take. */
const SHARE_OF_DESCRIPTORS = 1 / 4
/** Above this share of all descriptors there is no time to give. */
const SHORT = 3 / 4
const SHUT_RDWR = 2

interface LookingTimes {
  /** Between two looks while there are few connections. */
  readonly calmMs: number
  /** While there are many. */
  readonly busyMs: number
  readonly shareOfTime: number
}

const usual: LookingTimes = { calmMs: 200, busyMs: 25, shareOfTime: 1 / 10 }

/** For the listener whose connections `present` tells, until the function that it gives is called. */
export function limitConnections(
  present: () => number[],
  most: number = MOST_CONNECTIONS,
  { calmMs, busyMs, shareOfTime }: LookingTimes = usual,
): () => void {
  if (process.platform !== "linux") return () => {}
  const available = descriptorLimit()
  const limit = Math.min(most, Math.floor(available * SHARE_OF_DESCRIPTORS))
  /** By descriptor, those who have been there longest first. */
  let known: readonly number[] = []
  const look = (): void => {
    const began = performance.now()
    const open = descriptors()
    const inside = open > limit ? present() : []
    const there = new Set(inside)
    const before = known.filter((fd) => there.has(fd))
    const old = new Set(before)
    const all = [...before, ...inside.filter((fd) => !old.has(fd))]
    const isShort = open > available * SHORT
    known = all.filter((fd, index) => index < limit || (!isShort && !old.has(fd)))
    const stay = new Set(known)
    for (const fd of all) if (!stay.has(fd)) libc().shutdown(fd, SHUT_RDWR)
    const nextMs = inside.length > limit / 2 ? busyMs : calmMs
    timer = later(Math.max(nextMs, (performance.now() - began) / shareOfTime))
  }
  const later = (ms: number): Timer => {
    const next = setTimeout(look, ms)
    next.unref()
    return next
  }
  let timer = later(calmMs)
  return () => clearTimeout(timer)
}

/** Open in this process; kernels before 6.2 do not say, and are looked at in full. */
function descriptors(): number {
  return statSync("/proc/self/fd").size || Infinity
}
