/** CPU for each request while a load goes on: the program's own time, and the origin's count of what it answered. */
import { answeredBy } from "./peers.ts"
import type { Origin } from "./peers.ts"
import type { Program } from "./program.ts"

export interface Cost {
  readonly userUs: number
  readonly systemUs: number
  readonly perSecond: number
}

/** Between `settleMs` after now, and `measureMs` later. */
export async function costBetween(
  program: Program,
  origin: Origin,
  settleMs: number,
  measureMs: number,
): Promise<Cost> {
  const read = async () => ({
    ...program.cpu(),
    requests: await answeredBy(origin),
    at: performance.now(),
  })
  await Bun.sleep(settleMs)
  const before = await read()
  await Bun.sleep(measureMs)
  const after = await read()
  const requests = after.requests - before.requests
  return {
    userUs: ((after.userMs - before.userMs) * 1000) / requests,
    systemUs: ((after.systemMs - before.systemMs) * 1000) / requests,
    perSecond: (requests * 1000) / (after.at - before.at),
  }
}
