/**
 * The settings of one balancer, complete and judged: what `config/` makes of defaults, file and flags, and
 * what every other room reads. Plain data, so that it crosses a process boundary as JSON.
 */

import type { AdminAddress } from "./admin-address.ts"

/** Milliseconds of the process clock. */
export type Milliseconds = number
export type Bytes = number

export type StrategyName = "round_robin" | "random" | "weighted" | "sticky"
export type RequestIdPolicy = "own" | "trusted" | "client"
export type ViaPolicy = "off" | "request" | "response" | "both"
export type SocketKind = "direct" | "bun"
export type Mode = "mp" | "sp"
export type LogLevel = "err" | "warn" | "info" | "debug"
export type LogFormat = "auto" | "text" | "json"
export type LogOutput = "stderr" | "stdout"

export interface BackendSettings {
  /** `host:port`, lower case, IPv6 in brackets: the label in logs and figures and the seed of the cookie. */
  readonly name: string
  /** A name or an address, IPv6 without brackets. */
  readonly host: string
  readonly port: number
  /** True for port 443 and `https://`; `http://` makes it false whatever the port. */
  readonly tls: boolean
  /** 1 to 1,000. */
  readonly weight: number
  /** Serves only while no other backend is eligible. */
  readonly backup: boolean
  /** A PEM file that replaces the system's CAs for this backend, or null. */
  readonly ca: string | null
  /** Why it gets no new request, by an operator's word, at run time or in the file; absent while it serves. */
  readonly duty?: Duty
  /**
   * It stands for as many backends as DNS says (`host` is what is looked up, `port` 0 when the records tell it): the
   * master puts them in its place. Absent for a backend that is itself one.
   */
  readonly discover?: Discovery
  /** Found through DNS: `host` and `port` are what to dial, and this is how it is known. */
  readonly member?: {
    /** The name of the backend in whose place it stands. */
    readonly of: string
    /** What certificates and Host fields name. */
    readonly host: string
  }
}

/** `dns`: each address of a name is a backend. `srv`: each target of its SRV records. */
export type Discovery = "dns" | "srv"

/**
 * `linger`: only clients whose sticky cookie names it still get it. `drain`: nobody does. `off`: it is not probed
 * either.
 */
export type Duty = "linger" | "drain" | "off"

export interface HealthSettings {
  /**
   * `http` asks for a page, `tcp` is content with a connection (and its TLS handshake), `none` sends no probe:
   * an unhealthy backend is simply tried again after `successes` intervals.
   */
  readonly type: "http" | "tcp" | "none"
  readonly path: string
  readonly interval: Milliseconds
  readonly timeout: Milliseconds
  /** Status codes of a backend that is well, inclusive ranges. */
  readonly expect: readonly (readonly [number, number])[]
  /** Host field of the probe, or null for the backend's own. */
  readonly host: string | null
  /** Consecutive failures that open the breaker. */
  readonly failures: number
  /** Consecutive successes that close it. */
  readonly successes: number
  /** How many times as many it may come to be, by doubling, for one that fails again soon; 1 for never more. */
  readonly backoff: number
  /** For so long the share of one that has come back grows; 0 gives it all at once. */
  readonly slowStart: Milliseconds
}

export interface StickySettings {
  readonly cookie: string
  /** `auto`: Secure when the client came over TLS, said by a trusted proxy or by bunlb's own listener. */
  readonly secure: "auto" | "on" | "off"
  readonly sameSite: "lax" | "strict" | "none"
  /** Seconds; 0 makes a session cookie. */
  readonly maxAge: number
  /** Makes the tokens. Null in what a person wrote; the master then puts its own random key here. */
  readonly key: string | null
}

export interface TimeoutSettings {
  readonly connect: Milliseconds
  readonly tlsHandshake: Milliseconds
  readonly clientHead: Milliseconds
  readonly clientIdle: Milliseconds
  readonly clientBody: Milliseconds
  readonly clientRead: Milliseconds
  readonly responseHead: Milliseconds
  readonly backendBody: Milliseconds
  readonly poolIdle: Milliseconds
  readonly tunnelIdle: Milliseconds
  readonly drain: Milliseconds
}

/** Silence on a connection before TCP asks whether the peer is still there; 0 never asks. */
export interface KeepaliveSettings {
  readonly client: Milliseconds
  readonly backend: Milliseconds
}

export interface LimitSettings {
  readonly headBytes: Bytes
  readonly fields: number
  readonly requestLineBytes: Bytes
  readonly responseHeadBytes: Bytes
  /** Client connections of one worker; 0 takes what the descriptor limit allows. */
  readonly connections: number
  /** Of one address, at one worker; 0 is no limit. Trusted proxies have none. */
  readonly connectionsPerClient: number
}

export interface ConnectionPoolSettings {
  /** Idle connections kept for each backend by each worker. */
  readonly idle: number
  /** A connection older than this is not reused. */
  readonly maxAge: Milliseconds
}

export interface RetrySettings {
  /** Times one request may be sent again. */
  readonly max: number
  /** Retries allowed as a percentage of requests. */
  readonly budgetPercent: number
  /** Retries allowed each second whatever the traffic. */
  readonly budgetFloor: number
  /** Body bytes kept so that a request can be sent again. */
  readonly replayBytes: Bytes
}

export interface AccessLogSettings {
  readonly format: "off" | "json" | "combined"
  /** `stdout`, or the name of a file. */
  readonly path: string
  /** Lines of a status of at least this are always written; 0 for no such rule. */
  readonly minStatus: number
  /** Lines of exchanges that took at least this are always written; 0 for no such rule. */
  readonly slowerThan: Milliseconds
  /** Share of the other lines; null: all of them, or none when there is a rule. */
  readonly samplePercent: number | null
  /** Request fields to write as well. */
  readonly fields: readonly string[]
  /** Query parameters whose values are masked. */
  readonly redact: readonly string[]
}

export interface HttpSettings {
  /** Whether lines that end in LF without CR are taken for lines. */
  readonly bareLf: "refuse" | "accept"
}

export interface DnsSettings {
  /** `IP` or `IP:PORT`, asked in this order; none: what the system says. */
  readonly servers: readonly string[]
  /** Backends that one name may stand for. */
  readonly maxBackends: number
  /** Which addresses of names count. */
  readonly family: "any" | "ipv4" | "ipv6"
}

/** The settings that have a row in the schema. They are the defaults of all listeners and of all pools. */
export interface FlatSettings {
  readonly host: string
  readonly port: number
  readonly backends: readonly BackendSettings[]
  readonly mode: Mode
  readonly workers: number
  readonly pin: boolean
  /** Of the whole process. Direct ones exist on Linux only. */
  readonly sockets: SocketKind
  readonly strategy: StrategyName
  readonly logLevel: LogLevel
  readonly logFormat: LogFormat
  readonly logOutput: LogOutput
  /** Accept any certificate of a TLS backend. */
  readonly insecure: boolean
  /** Accept SHA-1 signatures and RSA keys below 2,048 bits in the certificates of TLS backends. */
  readonly weakCertificates: boolean
  /** Dump heads and bodies at level info. */
  readonly trace: boolean
  readonly tlsTrace: boolean
  /** Take part in distributed traces: W3C Trace Context. */
  readonly tracing: boolean
  /** The admin listener, or null when it is off. */
  readonly admin: AdminAddress | null
  /** What whoever changes something through the admin listener must show, or null: nothing on a loopback address. */
  readonly adminToken: string | null
  /** A client that has closed its sending side still gets its responses. Otherwise it counts as gone. */
  readonly halfClose: boolean
  /** Reload when the configuration file or a CA file changes. */
  readonly watch: boolean
  /** Host field sent to every backend, or null: kept for plain backends, the backend's name for TLS ones. */
  readonly hostHeader: string | null
  /** Addresses and CIDRs whose forwarded fields are believed. */
  readonly trustedProxies: readonly string[]
  /** Tell the backends of the client in a Forwarded field (RFC 7239) too. */
  readonly forwarded: boolean
  /** Fields that say where a request came from and pass from any client, in lower case. */
  readonly forwardedKeep: readonly string[]
  /** Whose X-Request-Id is kept; all other requests get a new one. */
  readonly requestId: RequestIdPolicy
  /** Which messages get a Via line. */
  readonly via: ViaPolicy
  readonly whenAllUnhealthy: "try" | "fail"
  readonly health: HealthSettings
  readonly sticky: StickySettings
  readonly timeouts: TimeoutSettings
  readonly limits: LimitSettings
  readonly keepalive: KeepaliveSettings
  readonly pool: ConnectionPoolSettings
  readonly retries: RetrySettings
  readonly accessLog: AccessLogSettings
  readonly http: HttpSettings
  readonly dns: DnsSettings
}

/** An address and a port; an empty host stands for every address of both families. Or a unix socket. */
export type ListenAddress =
  { readonly host: string; readonly port: number } | { readonly path: string }

/** One address on which clients come, and how they are treated. Every value is the one in force. */
export type ListenerSettings = ListenAddress & {
  readonly name: string
  /** Permissions of a unix socket, or null: what the umask leaves. */
  readonly socketMode: number | null
  /** The name of the pool that serves its requests. */
  readonly pool: string
  readonly halfClose: boolean
  readonly trustedProxies: readonly string[]
  readonly forwarded: boolean
  readonly forwardedKeep: readonly string[]
  readonly requestId: RequestIdPolicy
  readonly via: ViaPolicy
  readonly timeouts: ListenerTimeouts
  readonly limits: ListenerLimits
  readonly keepalive: Pick<KeepaliveSettings, "client">
}

export type ListenerTimeouts = Pick<
  TimeoutSettings,
  "clientHead" | "clientIdle" | "clientBody" | "clientRead"
>

export type ListenerLimits = Omit<LimitSettings, "responseHeadBytes">

/** Backends that serve the same requests, and how they are chosen and asked. Every value is the one in force. */
export interface PoolSettings {
  readonly name: string
  readonly backends: readonly BackendSettings[]
  readonly strategy: StrategyName
  readonly whenAllUnhealthy: "try" | "fail"
  readonly hostHeader: string | null
  readonly insecure: boolean
  readonly weakCertificates: boolean
  readonly health: HealthSettings
  readonly sticky: StickySettings
  readonly timeouts: PoolTimeouts
  readonly limits: Pick<LimitSettings, "responseHeadBytes">
  readonly keepalive: Pick<KeepaliveSettings, "backend">
  /** The connections that are kept for the next request. */
  readonly connections: ConnectionPoolSettings
  readonly retries: RetrySettings
}

export type PoolTimeouts = Pick<
  TimeoutSettings,
  "connect" | "tlsHandshake" | "responseHead" | "backendBody" | "poolIdle" | "tunnelIdle"
>

export interface Settings extends FlatSettings {
  /** Never empty. Without `listeners` in the configuration there is one, named `default`. */
  readonly listeners: readonly ListenerSettings[]
  /** Never empty. Without `pools` in the configuration there is one, named `default`. */
  readonly pools: readonly PoolSettings[]
}
