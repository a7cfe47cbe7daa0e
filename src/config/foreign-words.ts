/**
 * What people type who come from another balancer, where "did you mean" finds nothing near: the word that bunlb has
 * for it, or that it has none. Compared without case and separators.
 */

/** Words of nginx, HAProxy, Caddy, Traefik and Envoy, and the key of ours that means the same. */
const translations: Readonly<Record<string, string>> = {
  upstream: "backends",
  upstreams: "backends",
  server: "backends",
  servers: "backends",
  target: "backends",
  targets: "backends",
  endpoints: "backends",
  to: "backends",
  listen: "port",
  bind: "port",
  address: "host",
  balance: "strategy",
  algorithm: "strategy",
  policy: "strategy",
  lbpolicy: "strategy",
  loadbalancer: "strategy",
  method: "strategy",
  healthcheck: "health",
  check: "health",
  checks: "health",
  threads: "workers",
  workerprocesses: "workers",
  nbthread: "workers",
  nbproc: "workers",
  processes: "workers",
  realip: "trusted_proxies",
  setrealipfrom: "trusted_proxies",
  keepalive: "pool",
  log: "access_log",
  logs: "access_log",
  loglevel: "log_level",
  stats: "admin",
  api: "admin",
  metrics: "admin",
  dashboard: "admin",
}

const noTls = "bunlb ends no TLS of clients, put it behind something that does"
const noRoutes = "bunlb has one list of backends and no routes"

const behindBackend = "write it behind its backend: HOST:PORT,weight=N"
const foreground = "it stays in the foreground, a service manager keeps it"

/** What bunlb does not do at all, or not at that place. */
const absent: Readonly<Record<string, string>> = {
  ...{ tls: noTls, ssl: noTls, cert: noTls, key: noTls, certificate: noTls, certificates: noTls },
  ...{ tlscert: noTls, tlskey: noTls, sslcertificate: noTls, acme: noTls, https: noTls },
  ...{ location: noRoutes, locations: noRoutes, route: noRoutes, routes: noRoutes },
  ...{ routers: noRoutes, rules: noRoutes, frontend: noRoutes, frontends: noRoutes },
  ...{ virtualhosts: noRoutes, path: noRoutes },
  ...{ weight: behindBackend, weights: behindBackend },
  ...{ daemon: foreground, daemonize: foreground, background: foreground },
}

/** `, here it is "backends"`, or why there is none; null for a word of no other balancer. */
export function foreignAdvice(
  word: string,
  /** How a key is written where `word` stood, or null where it cannot stand. */
  written: (key: string) => string | null,
): string | null {
  const plain = word.toLowerCase().replace(/[-_.]/g, "")
  if (written("backends") === null) return null
  const missing = Object.hasOwn(absent, plain) ? absent[plain] : undefined
  if (missing !== undefined) return `, ${missing}`
  const key = Object.hasOwn(translations, plain) ? translations[plain] : undefined
  const name = key === undefined ? null : written(key)
  return name === null ? null : `, here it is ${name}`
}
