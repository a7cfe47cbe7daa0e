/** What a worker says of itself: its figures as samples, its backends as rows. */
import type { Prober } from "../health/prober.ts"
import type { Resolver } from "../net/resolver.ts"
import { set } from "../observe/figures.ts"
import type { BackendReport, Samples, WorkerReport } from "../observe/snapshot.ts"
import type { Gateway } from "../proxy/gateway.ts"
import type { Upstream } from "../proxy/upstream.ts"
import type { Membership } from "./membership.ts"
import type { PastBackends } from "./past-backends.ts"

export function reportOf(
  index: number,
  uptime: number,
  gateway: Gateway,
  membership: Membership,
  prober: Prober,
  resolver: Resolver,
  past: PastBackends,
): WorkerReport {
  const samples: Samples = {}
  const upstreams = lastOfEachName(membership.all)
  gateway.figures.collect(samples)
  for (const upstream of upstreams) collectUpstream(samples, gateway, upstream, prober)
  past.collect(samples)
  let inFlight = 0
  for (const { figures } of upstreams) inFlight += figures.active
  return {
    index,
    pid: process.pid,
    uptime,
    clients: gateway.clients.size,
    inFlight: inFlight + gateway.figures.tunnels,
    draining: gateway.draining,
    backends: upstreams.map((upstream) => backendReport(gateway, upstream, resolver, past)),
    samples,
  }
}

/** A backend that began anew under its name has the figures of both. */
function lastOfEachName(upstreams: readonly Upstream[]): Upstream[] {
  const byName = new Map<string, Upstream>()
  for (const upstream of upstreams) {
    if (!byName.has(upstream.settings.name)) byName.set(upstream.settings.name, upstream)
  }
  return [...byName.values()]
}

/** Its figures are in `past` from now on. */
export function bury(
  upstream: Upstream,
  gateway: Gateway,
  prober: Prober,
  past: PastBackends,
  isThere: (name: string) => boolean,
): void {
  const { name, index } = upstream.candidate
  const samples: Samples = {}
  collectUpstream(samples, gateway, upstream, prober)
  const { requests } = upstream.figures
  past.bury(name, { samples, requests, failures: failuresOf(gateway, index) }, isThere)
}

function failuresOf({ board }: Gateway, index: number): number {
  let failures = 0
  for (const count of board.failures(index).values()) failures += count
  return failures
}

function collectUpstream(
  samples: Samples,
  gateway: Gateway,
  upstream: Upstream,
  prober: Prober,
): void {
  const { index, name } = upstream.candidate
  const backend = `backend="${name}"`
  const { board } = gateway
  upstream.figures.collect(samples, name, upstream.pool.size)
  set(samples, "bunlb_backend_up", backend, board.healthy.has(index) ? 1 : 0)
  for (const [reason, count] of board.failures(index)) {
    set(samples, "bunlb_backend_failures_total", `${backend},reason="${reason}"`, count)
  }
  for (const [to, count] of Object.entries(upstream.transitions)) {
    set(samples, "bunlb_breaker_transitions_total", `${backend},to="${to}"`, count)
  }
  set(samples, "bunlb_probes_total", `${backend},result="ok"`, prober.ok[index])
  set(samples, "bunlb_probes_total", `${backend},result="failed"`, prober.failed[index])
}

function tunnelsOf(upstream: Upstream): number {
  let tunnels = 0
  for (const connection of upstream.connections) if (connection.tunnel !== null) tunnels++
  return tunnels
}

function backendReport(
  gateway: Gateway,
  upstream: Upstream,
  resolver: Resolver,
  past: PastBackends,
): BackendReport {
  const { board, roster } = gateway
  const { index, name, weight, backup } = upstream.candidate
  const before = past.of(name)
  return {
    name,
    tls: upstream.settings.tls,
    weight,
    backup,
    healthy: board.healthy.has(index),
    draining: upstream.gone || roster.isDraining(index),
    since: board.since(index),
    reason: board.reason(index),
    active: upstream.figures.active + tunnelsOf(upstream),
    idle: upstream.pool.size,
    requests: before.requests + upstream.figures.requests,
    failures: before.failures + failuresOf(gateway, index),
    addresses: resolver.addresses(upstream.settings.host).map(({ ip }) => ip),
  }
}
