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
  loglevel: "log_level",
  stats: "admin",
  api: "admin",
  metrics: "admin",
  dashboard: "admin",
  ...{ timeoutconnect: "timeouts.connect", proxyconnecttimeout: "timeouts.connect" },
  ...{ connecttimeout: "timeouts.connect", keepalivetimeout: "timeouts.client_idle" },
  ...{ clientheadertimeout: "timeouts.client_head", clientbodytimeout: "timeouts.client_body" },
  ...{ timeouthttprequest: "timeouts.client_head", timeouttunnel: "timeouts.tunnel_idle" },
  ...{ maxconn: "limits.connections", workerconnections: "limits.connections" },
  ...{ maxclients: "limits.connections", limitconn: "limits.connections_per_client" },
  ...{ retry: "retries.max", proxynextupstreamtries: "retries.max", redispatch: "retries.max" },
  ...{ maxfails: "health.failures", slowstart: "health.slow_start", cookie: "sticky.cookie" },
  ...{ resolver: "dns.servers", resolvers: "dns.servers", nameservers: "dns.servers" },
  ...{ nameserver: "dns.servers", accesslogformat: "access_log.format" },
  ...{ stickysession: "sticky", stickysessions: "sticky", session: "sticky" },
  ...{ frontend: "listeners", frontends: "listeners", entrypoints: "listeners" },
  ...{ clusters: "pools", services: "pools", targetgroups: "pools", serverpools: "pools" },
  ...{ errorlog: "log_output", logfile: "log_output", verbosity: "log_level" },
}

/** `{key}` in a text is replaced by how that setting is written where the word stood. */
const noTls = "bunlb does not terminate client TLS yet, put it behind something that does"
const noRoutes =
  "bunlb has no routes yet: a listener names the pool that serves it ({listeners}, {pools})"
const noBodyLimit = "bunlb has no limit on bodies yet: it streams them and does not store them"
const noRates =
  "bunlb has no rate limits yet; {limits.connections_per_client} limits the connections of a client"
const noInclude = "there is one file and no include; ${NAME} takes values from the environment"
const noRewriting = "bunlb does not rewrite, compress or cache yet"
const noBuffering = "bunlb streams bodies, there is nothing to switch off"
const noRedirects = "bunlb does not redirect yet"
const noHttp2 = "bunlb speaks HTTP/1.1 only"

const behindBackend = "write it behind its backend: HOST:PORT,weight=N"
const foreground = "it stays in the foreground, a service manager keeps it"
const someTimeouts = "there are {timeouts.response_head} and {timeouts.backend_body}"
const reading = "the limits on reading are {timeouts.response_head}, {timeouts.backend_body}"
const writing =
  "the limits on writing are {timeouts.client_read} to clients, {timeouts.backend_body} to backends"
const noProxyProtocol = "bunlb does not speak the PROXY protocol yet, see {trusted_proxies}"
const someLogs = "there are {log_level}, {log_format} and {access_log}"
const clientLimits =
  "there are {timeouts.client_head}, {timeouts.client_body}, {timeouts.client_idle}"

/** What bunlb does not do at all, does not do at that place, or splits among several settings. */
const absent: Readonly<Record<string, string>> = {
  ...{ tls: noTls, ssl: noTls, cert: noTls, key: noTls, certificate: noTls, certificates: noTls },
  ...{ tlscert: noTls, tlskey: noTls, sslcertificate: noTls, acme: noTls, https: noTls },
  ...{ sslcertificatekey: noTls, letsencrypt: noTls, crt: noTls },
  ...{ location: noRoutes, locations: noRoutes, route: noRoutes, routes: noRoutes },
  ...{ routers: noRoutes, rules: noRoutes },
  ...{ virtualhosts: noRoutes, path: noRoutes, domains: noRoutes, servername: noRoutes },
  ...{ weight: behindBackend, weights: behindBackend },
  ...{ daemon: foreground, daemonize: foreground, background: foreground },
  ...{ ratelimit: noRates, ratelimits: noRates, ratelimiting: noRates, limitreq: noRates },
  ...{ throttle: noRates, limitrate: noRates, stickytable: noRates, rps: noRates },
  ...{ include: noInclude, includes: noInclude, import: noInclude, extends: noInclude },
  ...{ clientmaxbodysize: noBodyLimit, maxbodysize: noBodyLimit, bodylimit: noBodyLimit },
  ...{ limitbody: noBodyLimit, limitbodybytes: noBodyLimit, bodysize: noBodyLimit },
  ...{ maxrequestbody: noBodyLimit, requestbody: noBodyLimit, limitsbody: noBodyLimit },
  ...{ gzip: noRewriting, compression: noRewriting, compress: noRewriting, cache: noRewriting },
  ...{ proxycache: noRewriting, rewrite: noRewriting, headers: noRewriting, cors: noRewriting },
  ...{ addheader: noRewriting, requestheaders: noRewriting, middlewares: noRewriting },
  ...{ buffering: noBuffering, proxybuffering: noBuffering, proxyrequestbuffering: noBuffering },
  ...{ redirect: noRedirects, redirects: noRedirects, hsts: noRedirects, protocols: noHttp2 },
  ...{ http2: noHttp2, h2: noHttp2, http3: noHttp2, quic: noHttp2, grpc: noHttp2 },
  ...{ timeout: someTimeouts, readtimeout: reading, proxyreadtimeout: reading },
  ...{ timeoutread: reading, timeoutsread: reading, timeoutsserver: reading },
  ...{ timeoutserver: reading, timeoutsrequest: reading },
  ...{ timeoutclient: clientLimits, timeoutsclient: clientLimits, clienttimeout: clientLimits },
  ...{ timeoutswrite: writing, timeoutssend: writing, writetimeout: writing },
  ...{ timeoutwrite: writing, proxysendtimeout: writing, sendtimeout: writing },
  ...{ proxyprotocol: noProxyProtocol, sendproxy: noProxyProtocol, acceptproxy: noProxyProtocol },
  ...{ log: someLogs, logs: someLogs, logging: someLogs, logger: someLogs },
  ...{ timeoutsidle: "there are {timeouts.client_idle}, {timeouts.pool_idle}" },
}

/** What is asked for inside a group. */
const inside: Readonly<Record<string, string>> = {
  ...{ "limits.body": noBodyLimit, "limits.bodysize": noBodyLimit, "limits.rate": noRates },
  ...{ "limits.bodybytes": noBodyLimit, "limits.maxbody": noBodyLimit, "limits.rps": noRates },
  ...{ "limits.requestbody": noBodyLimit, "limits.requests": noRates },
  ...{ "timeouts.read": reading, "timeouts.server": reading, "timeouts.backend": reading },
  ...{ "timeouts.send": writing, "timeouts.write": writing, "timeouts.request": reading },
  ...{ "timeouts.response": reading, "timeouts.client": clientLimits },
  "timeouts.idle": "there are {timeouts.client_idle}, {timeouts.pool_idle}",
  "timeouts.header": "there are {timeouts.client_head}, {timeouts.response_head}",
  "timeouts.keepalive": "here it is {timeouts.client_idle}",
  "health.port": "probes go to the port of the backend",
  "health.uri": "here it is {health.path}",
  "health.url": "here it is {health.path}",
  "health.method": "probes are GET requests; {health.type} tcp only connects",
  "health.rise": "here it is {health.successes}",
  "health.fall": "here it is {health.failures}",
  "health.passes": "here it is {health.successes}",
  "health.fails": "here it is {health.failures}",
  "health.status": "here it is {health.expect}",
  "sticky.name": "here it is {sticky.cookie}",
  "sticky.ttl": "here it is {sticky.max_age}",
  "sticky.expires": "here it is {sticky.max_age}",
}

const address = "here it is {address}"
const poolOfListener = "a listener names the pool whose backends serve it: {pool}"
const entries = "here it is {backends}"
const ownName = "its name is the key in front of it"

/** What is asked for inside a record, and is something else there than in a whole file. */
const inRecords: Readonly<Record<string, string>> = {
  ...{ "listener.listen": address, "listener.bind": address, "listener.host": address },
  ...{ "listener.port": address, "listener.addr": address, "listener.ip": address },
  ...{ "listener.socket": address, "listener.url": address, "listener.path": address },
  ...{ "listener.backend": poolOfListener, "listener.backends": poolOfListener },
  ...{ "listener.upstream": poolOfListener, "listener.servers": poolOfListener },
  ...{ "listener.server": poolOfListener, "listener.cluster": poolOfListener },
  ...{ "listener.defaultbackend": poolOfListener, "listener.usebackend": poolOfListener },
  ...{ "listener.service": poolOfListener, "listener.target": poolOfListener },
  ...{ "listener.to": poolOfListener, "listener.name": ownName, "pool.name": ownName },
  ...{ "pool.host": entries, "pool.port": entries, "pool.address": entries },
  ...{ "pool.addresses": entries, "pool.hosts": entries, "pool.members": entries },
  ...{ "pool.nodes": entries, "pool.url": entries, "pool.urls": entries },
}

const plainOf = (word: string): string => word.toLowerCase().replace(/[-_.]/g, "")

/** `, here it is "backends"`, or why there is none; null for a word of no other balancer. */
export function foreignAdvice(
  word: string,
  /** How a key is written where `word` stood, or null where it cannot stand. */
  written: (key: string) => string | null,
  /** The group in which it stood: `timeouts`. */
  group = "",
): string | null {
  const plain = plainOf(word)
  if (group !== "") return filled(own(inside, `${group}.${plain}`), written)
  if (written("backends") === null) return null
  const missing = filled(own(absent, plain), written)
  if (missing !== null) return missing
  const key = own(translations, plain)
  const name = key === undefined ? null : written(key)
  return name === null ? null : `, here it is ${name}`
}

/** The same inside a record: `noun` is "listener" or "pool". */
export function recordAdvice(
  noun: string,
  word: string,
  written: (key: string) => string | null,
): string | null {
  const plain = plainOf(word)
  const here = filled(own(inRecords, `${noun}.${plain}`) ?? own(absent, plain), written)
  if (here !== null) return here
  const key = own(translations, plain)
  const name = key === undefined ? null : written(key)
  return name === null ? null : `, here it is ${name}`
}

function own(table: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined
}

function filled(text: string | undefined, written: (key: string) => string | null): string | null {
  if (text === undefined) return null
  const words = text.replaceAll(/(?<!\$)\{([a-z_.]+)\}/g, (_, key: string) => written(key) ?? key)
  return `, ${words}`
}

/** Every key that an advice names, for a test. */
export const advisedKeys: readonly string[] = [
  ...Object.values(translations),
  ...[...Object.values(absent), ...Object.values(inside)].flatMap((text) =>
    [...text.matchAll(/(?<!\$)\{([a-z_.]+)\}/g)].map(([, key = ""]) => key),
  ),
]
