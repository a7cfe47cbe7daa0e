/**
 * All figures of the fleet in Prometheus text form. With a thousand backends that is some megabytes, so it is written
 * in slices, between which the master does what else there is to do.
 */
import { families } from "../../observe/families.ts"
import { headOf, seriesLine, seriesOf } from "../../observe/prometheus.ts"
import type { Samples } from "../../observe/snapshot.ts"
import { backendFamilies, type BackendMoment } from "./backend-families.ts"
import type { Slices } from "../../core/slices.ts"

const encoder = new TextEncoder()

/** `samples`: what is of no backend. `backends`: in the order in which they are to be written. */
export async function exposeFleet(
  samples: Samples,
  backends: readonly BackendMoment[],
  slices: Slices,
): Promise<Uint8Array<ArrayBuffer>[]> {
  const pieces: Uint8Array<ArrayBuffer>[] = []
  let lines: string[] = []
  const flush = (): void => {
    if (lines.length > 0) pieces.push(encoder.encode(`${lines.join("\n")}\n`))
    lines = []
  }
  for (const family of families) {
    const head = [...headOf(family)]
    const announce = (): void => void lines.push(...head.splice(0))
    const own = seriesOf(family, samples)
    if (own.length > 0) announce()
    lines.push(...own)
    const write = backendFamilies.get(family.name)
    if (write === undefined) continue
    const put = (sample: string, labels: string, value: number): void => {
      if (head.length > 0) announce()
      lines.push(seriesLine(sample, labels, value))
    }
    for (const backend of backends) {
      write(backend, put)
      if (!slices.isOver) continue
      flush()
      await slices.rest()
    }
  }
  flush()
  return pieces
}
