/** What can befall the balancer that holds the address, how it is healed, and how long clients may go without. */
import { until } from "../support/until.ts"
import type { Felt } from "./outage.ts"
import { VIP } from "./pair.ts"
import type { Pair } from "./pair.ts"

const START_MS = 20_000

export interface Scenario {
  readonly name: string
  /** The longest time without service, in milliseconds. */
  readonly bar: number
  /** Makes it happen, lets a client feel it, and heals. */
  run(pair: Pair): Promise<Felt>
}

const all = (balancer: { master: number; workers: number[] }): number[] => [
  ...[balancer.master],
  ...balancer.workers,
]

export const killed: Scenario = {
  name: "balancer killed (SIGKILL)",
  bar: 300,
  async run(pair) {
    const [active, standby] = await pair.roles()
    const feeling = await pair.feel(
      () => active.kill(),
      () => standby.holds,
    )
    await active.startBunlb()
    return feeling
  },
}

function hung(name: string, which: (active: { master: number; workers: number[] }) => number[]) {
  return {
    name,
    bar: 300,
    async run(pair: Pair): Promise<Felt> {
      const [active, standby] = await pair.roles()
      const pids = which(active)
      const feeling = await pair.feel(
        () => active.signal(pids, "SIGSTOP"),
        () => standby.holds,
      )
      active.signal(
        pids.filter((pid) => pid === active.master || active.workers.includes(pid)),
        "SIGCONT",
      )
      return feeling
    },
  }
}

export const hungAll: Scenario = hung("balancer hung (SIGSTOP of all its processes)", all)
export const hungWorkers: Scenario = hung("its workers hung", ({ workers }) => workers)
const hungMaster: Scenario = hung("its master hung", ({ master }) => [master])
const hungWorker: Scenario = {
  ...hung("one of its two workers hung", ({ workers }) => workers.slice(0, 1)),
  bar: Infinity,
}

export const linkCut: Scenario = {
  name: "node's link cut",
  bar: 500,
  async run(pair) {
    const [active, standby] = await pair.roles()
    const feeling = await pair.feel(
      () => pair.network.cable(active.name, "down"),
      () => standby.holds,
    )
    pair.network.cable(active.name, "up")
    return feeling
  },
}

function withoutKeepalived(name: string, signal: "SIGTERM" | "SIGKILL", bar: number): Scenario {
  return {
    name,
    bar,
    async run(pair) {
      const [active, standby] = await pair.roles()
      const feeling = await pair.feel(
        () => active.stopKeepalived(signal),
        () => standby.holds,
      )
      active.startKeepalived()
      return feeling
    },
  }
}

const watcherKilled: Scenario = {
  name: "watcher ended (SIGTERM)",
  bar: 300,
  async run(pair) {
    const [active, standby] = await pair.roles()
    const feeling = await pair.feel(
      () => active.watcher?.kill("SIGTERM"),
      () => standby.holds,
    )
    await active.startWatcher()
    return feeling
  },
}

const drained: Scenario = {
  name: "balancer drains (SIGTERM)",
  bar: 300,
  async run(pair) {
    const [active, standby] = await pair.roles()
    const feeling = await pair.feel(
      () => active.signal([active.master], "SIGTERM"),
      () => standby.holds,
    )
    await active.ended()
    await active.startBunlb()
    return feeling
  },
}

export const scenarios: readonly Scenario[] = [
  killed,
  hungAll,
  hungWorkers,
  hungMaster,
  hungWorker,
  drained,
  linkCut,
  withoutKeepalived("keepalived stopped (SIGTERM)", "SIGTERM", 300),
  withoutKeepalived("keepalived killed (SIGKILL)", "SIGKILL", 500),
  watcherKilled,
]

/** For a pair that preempts; what is lost is what was under way in that moment, of answers that take so long. */
export function failback(answerMs: number): Scenario {
  return {
    name: `failback, answers take ${answerMs} ms`,
    bar: 300,
    async run(pair) {
      const [active, standby] = pair.balancers
      const back = (): boolean => active.holds && !standby.holds && !standby.fault
      await until(back, START_MS, "the better one to hold the address")
      await active.kill()
      await until(() => standby.holds, START_MS, "the standby to take over")
      await active.startBunlb()
      // It is taken back some seconds after this: a start is not what is to be felt.
      return await pair.feel(() => {}, back, VIP, `/delay/${answerMs}`)
    },
  }
}
