/**
 * Normal traffic beside an attack, in a process of its own so that only bunlb's time is measured: a fixed number of
 * requests a second over a few kept connections, each connection's next request when the last is answered.
 *
 *   bun scripts/limits/meter.ts PORT SECONDS     prints {"requests", "failed", "p50", "p99"}, milliseconds
 */
import { join } from "node:path"
import { RawClient } from "../../test/support/raw-client.ts"

const CONNECTIONS = 8
const PER_SECOND = 400
const ROUNDS = 5
const ROUND_SECONDS = 3
/** Not counted: a fresh process is slow. */
const WARM_MS = 1_000

export interface Measured {
  readonly requests: number
  readonly failed: number
  readonly p50: number
  readonly p99: number
}

/** Measures in another process. */
export async function meter(port: number, seconds: number): Promise<Measured> {
  const command = [process.execPath, join(import.meta.dir, "meter.ts"), `${port}`, `${seconds}`]
  const child = Bun.spawn(command, { stdio: ["ignore", "pipe", "inherit"] })
  return JSON.parse(await child.stdout.text()) as Measured
}

export interface Comparison {
  readonly alone: Measured
  readonly beside: Measured
}

/** Normal traffic without and with an attack, in turns; of each the best, which the machine disturbed least. */
export async function compare(
  port: number,
  attack: () => Promise<Disposable>,
): Promise<Comparison> {
  const alone: Measured[] = []
  const beside: Measured[] = []
  for (let round = 0; round < ROUNDS; round++) {
    alone.push(await meter(port, ROUND_SECONDS))
    using _ = await attack()
    beside.push(await meter(port, ROUND_SECONDS))
  }
  return { alone: bestOf(alone), beside: bestOf(beside) }
}

function bestOf(rounds: readonly Measured[]): Measured {
  const [best = nothing] = rounds.toSorted((a, b) => a.p99 - b.p99)
  return { ...best, failed: rounds.reduce((sum, { failed }) => sum + failed, 0) }
}

const nothing: Measured = { requests: 0, failed: 0, p50: 0, p99: 0 }

async function measure(port: number, seconds: number): Promise<Measured> {
  const times: number[] = []
  let failed = 0
  const warm = performance.now() + WARM_MS
  const end = warm + seconds * 1000
  const pause = (CONNECTIONS * 1000) / PER_SECOND
  const run = async (): Promise<void> => {
    const client = await RawClient.connect(port)
    while (performance.now() < end) {
      const from = performance.now()
      const { status } = await client.exchange("GET / HTTP/1.1\r\nHost: meter\r\n\r\n")
      if (from > warm) times.push(performance.now() - from)
      if (status !== 200) failed++
      await Bun.sleep(pause * (0.5 + Math.random()))
    }
    client.reset()
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, () => run().catch(() => failed++)))
  times.sort((a, b) => a - b)
  const at = (share: number): number => times[Math.floor((times.length - 1) * share)] ?? 0
  return { requests: times.length, failed, p50: at(0.5), p99: at(0.99) }
}

if (import.meta.main) {
  const [port = 0, seconds = 5] = process.argv.slice(2).map(Number)
  console.log(JSON.stringify(await measure(port, seconds)))
}
