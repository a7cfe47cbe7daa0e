/**
 * Other ways to have two bunlbs, without keepalived, each in the network of test/ha: names with two addresses, two
 * equal routes, a TCP balancer in front.
 */
import { writeFileSync } from "node:fs"
import { join } from "node:path"

import type { Felt } from "../../test/ha/outage.ts"
import { Pair } from "../../test/ha/pair.ts"
import type { Balancer } from "../../test/ha/pair.ts"
import { find } from "../../test/matrix/programs.ts"
import { until } from "../../test/support/until.ts"

const LOOK_MS = 10
const START_MS = 10_000
const ANYCAST = "10.77.9.9"
const FRONT = "10.77.0.40"

export interface Arrangement {
  readonly name: string
  run(kind: "killed" | "hung"): Promise<Felt>
}

async function strike(victim: Balancer, kind: "killed" | "hung"): Promise<void> {
  if (kind === "killed") await victim.kill()
  else victim.signal([victim.master, ...victim.workers], "SIGSTOP")
}

/** Long enough for what notices to notice. */
function aSecond(): () => boolean {
  const began = performance.now()
  return () => performance.now() - began > 1_000
}

const names: Arrangement = {
  name: "two addresses in DNS, clients that try the next after 250 ms",
  async run(kind) {
    await using pair = await Pair.start(null)
    const [victim] = pair.balancers
    return await pair.feel(() => strike(victim, kind), aSecond(), {
      hosts: "10.77.0.11,10.77.0.12",
    })
  },
}

const routes: Arrangement = {
  name: "two equal routes (ECMP), the watcher's word withdraws one",
  async run(kind) {
    await using pair = await Pair.start(null)
    const { network, balancers } = pair
    for (const { name } of balancers) network.ip(name, `addr add ${ANYCAST}/32 dev lo`)
    const route = (): string =>
      balancers
        .map((each, index) => (each.fault ? "" : ` nexthop via 10.77.0.${11 + index}`))
        .join("")
    let announced = route()
    network.ip("client", `route add ${ANYCAST}/32${announced}`)
    network.sysctl("client", "net.ipv4.fib_multipath_hash_policy=1")
    // In the place of a routing daemon that asks the watcher's file, and of the router that hears it.
    const daemon = setInterval(() => {
      const now = route()
      if (now === announced || now === "") return
      announced = now
      network.ip("client", `route replace ${ANYCAST}/32${now}`)
    }, LOOK_MS)
    const [victim] = balancers
    const feeling = await pair.feel(() => strike(victim, kind), aSecond(), { hosts: ANYCAST })
    clearInterval(daemon)
    return feeling
  },
}

const front: Arrangement = {
  name: "HAProxy in TCP mode in front, checks every 100 ms",
  async run(kind) {
    await using pair = await Pair.start(null)
    const { network, folder, balancers } = pair
    network.host("front", 40)
    const file = join(folder, "haproxy.cfg")
    writeFileSync(file, haproxyConf)
    const haproxy = network.run("front", [find("haproxy") ?? "haproxy", "-db", "-f", file])
    await until(() => answers(pair), START_MS, "HAProxy to answer")
    const feeling = await pair.feel(() => strike(balancers[0], kind), aSecond(), { hosts: FRONT })
    haproxy.kill("SIGKILL")
    return feeling
  },
}

async function answers(pair: Pair): Promise<boolean> {
  const script = `fetch("http://${FRONT}/").then((r) => process.exit(r.ok ? 0 : 1))`
  const asked = pair.network.run("client", [process.execPath, "-e", script])
  return (await asked.exited()) === 0
}

/** `retries` and `redispatch` take a connection that is refused to the other one. */
const haproxyConf = `
defaults
  mode tcp
  timeout connect 200ms
  timeout client 30s
  timeout server 30s
  retries 2
  option redispatch 1
listen front
  bind ${FRONT}:80
  balance roundrobin
  option httpchk GET /
  timeout check 100ms
  default-server check inter 100ms fall 2 rise 2 on-marked-down shutdown-sessions
  server one 10.77.0.11:80
  server two 10.77.0.12:80
`

export const arrangements: readonly Arrangement[] = [names, routes, front]
