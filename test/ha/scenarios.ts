/** What can befall the balancer that holds the address, how it is healed, and how long clients may go without. */
import type { Felt } from "./outage.ts"
import type { Pair } from "./pair.ts"

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

export const scenarios: readonly Scenario[] = [
  killed,
  hungAll,
  hungWorkers,
  hungMaster,
  hungWorker,
  linkCut,
  withoutKeepalived("keepalived stopped (SIGTERM)", "SIGTERM", 300),
  withoutKeepalived("keepalived killed (SIGKILL)", "SIGKILL", 500),
]
