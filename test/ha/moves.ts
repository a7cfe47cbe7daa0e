/**
 * Moves of the address that are nobody's death: whoever has it gives it up and lives on. With `--linger` nothing may be
 * lost in them, neither requests that begin nor what was under way.
 */
import { until } from "../support/until.ts"
import type { Felt, Losses } from "./outage.ts"
import type { Pair } from "./pair.ts"

const START_MS = 20_000
/** As long as bunlb drains at most. */
const DRAIN_MS = 35_000

export interface Move {
  readonly name: string
  /** The longest time without service, in milliseconds. */
  readonly bar: number
  /** The pair must preempt, or must not. */
  readonly preempt: boolean
  run(pair: Pair): Promise<Felt & { underWay: Losses }>
}

/** The better node, well again, takes the address back. */
const failback: Move = {
  name: "failback",
  bar: 300,
  preempt: true,
  async run(pair) {
    const [active, standby] = pair.balancers
    const back = (): boolean => active.holds && !standby.holds && !standby.fault
    await until(back, START_MS, "the better one to hold the address")
    await active.kill()
    await until(() => standby.holds, START_MS, "the standby to take over")
    await active.startBunlb()
    // It is taken back some seconds after this: a start is not what is to be felt.
    return await pair.feelAll(() => {}, back)
  },
}

export const watcherEnded: Move = {
  name: "watcher ended (SIGTERM)",
  bar: 300,
  preempt: false,
  async run(pair) {
    const [active, standby] = await pair.roles()
    const feeling = await pair.feelAll(
      () => active.watcher?.kill("SIGTERM"),
      () => standby.holds,
    )
    await active.startWatcher()
    return feeling
  },
}

const drained: Move = {
  name: "balancer drains (SIGTERM)",
  bar: 300,
  preempt: false,
  async run(pair) {
    const [active, standby] = await pair.roles()
    const feeling = await pair.feelAll(
      () => active.signal([active.master], "SIGTERM"),
      () => standby.holds,
    )
    await active.ended(DRAIN_MS)
    await active.startBunlb()
    return feeling
  },
}

export const moves: readonly Move[] = [failback, watcherEnded, drained]
