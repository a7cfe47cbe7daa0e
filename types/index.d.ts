/**
 * Types of the package, from src/index.ts and src/config/schema/schema.ts. Generated:
 * `BUNLB_UPDATE_DOCS=1 bun test document` writes it anew.
 */
/// <reference lib="esnext.disposable" />

/** A time: `500ms`, `5s`, `1m`, `1h`, or 0. */
export type Duration = `${number}${"ms" | "s" | "m" | "h"}` | 0 | "0"

/** Bytes: a number, `16KiB`, `64k`, `1MiB`. */
export type Size = number | `${number}${"" | "b" | "k" | "KiB" | "m" | "MiB" | "g" | "GiB"}`

/** A backend with its options as keys. As a line: `10.0.0.1:8080,weight=2`. */
export interface BackendEntry {
  /** A name or an address. */
  readonly host: string
  /** Needed, unless SRV records tell it. Default: none. */
  readonly port?: number
  /** Its share of requests, 1 to 1,000. Default: 1. */
  readonly weight?: number
  /** Serves only while no other backend can. Default: false. */
  readonly backup?: boolean
  /** Speak TLS. Default: true for port 443. */
  readonly tls?: boolean
  /** A PEM file instead of the system's CAs. Default: none. */
  readonly ca?: string | null
  /** Gets no new request, and is probed. Default: false. */
  readonly drain?: boolean
  /** Gets no new request, and is not probed. Default: false. */
  readonly disabled?: boolean
}

/** A listener with its settings. As a line: `:80`, `10.0.0.1:80`, `unix:/PATH`. */
export interface ListenerEntry extends Pick<
  BalancerSettings,
  "half_close" | "trusted_proxies" | "forwarded" | "forwarded_keep" | "request_id" | "via"
> {
  /** Address to listen on. */
  readonly address: string
  /** The pool that serves its requests. Default: default. */
  readonly pool?: string
  /** Permissions of a unix socket, such as 0660. Default: what the umask leaves. */
  readonly socket_mode?: string | null
  readonly timeouts?: Pick<
    NonNullable<BalancerSettings["timeouts"]>,
    "client_head" | "client_idle" | "client_body" | "client_read"
  > | null
  readonly keepalive?: Pick<NonNullable<BalancerSettings["keepalive"]>, "client"> | null
  readonly limits?: Pick<
    NonNullable<BalancerSettings["limits"]>,
    "head_bytes" | "fields" | "request_line_bytes" | "connections" | "connections_per_client"
  > | null
}

/** A pool with its settings. As a list: its backends. */
export interface PoolEntry extends Pick<
  BalancerSettings,
  | "strategy"
  | "when_all_unhealthy"
  | "host_header"
  | "insecure"
  | "weak_certificates"
  | "health"
  | "sticky"
  | "pool"
  | "retries"
> {
  /** Its backends. */
  readonly backends: readonly (string | BackendEntry)[]
  readonly timeouts?: Pick<
    NonNullable<BalancerSettings["timeouts"]>,
    "connect" | "tls_handshake" | "response_head" | "backend_body" | "pool_idle" | "tunnel_idle"
  > | null
  readonly keepalive?: Pick<NonNullable<BalancerSettings["keepalive"]>, "backend"> | null
  readonly limits?: Pick<NonNullable<BalancerSettings["limits"]>, "response_head_bytes"> | null
}

/** What a configuration file may say, under the same names. `admin`, `mode` and `workers` mean nothing here. */
export interface BalancerSettings {
  /** A server to send requests to; repeat for more. Default: none. */
  readonly backends?: readonly (string | BackendEntry)[]
  /** Port to listen on; 0 takes a free one. Default: 8080. */
  readonly port?: number
  /** Address to listen on. Default: 0.0.0.0. */
  readonly host?: string
  /** Where /metrics, /health and the status API are served. Default: 127.0.0.1:9900. */
  readonly admin?: string
  /**
   * What `reload`, `drain` and the like must show; needed unless admin is a loopback address.
   * Default: none.
   */
  readonly admin_token?: string | null
  /**
   * Answer clients that have closed their sending side; otherwise that cancels their requests.
   * Default: false.
   */
  readonly half_close?: boolean
  /** Reload when the configuration file or a CA file changes. Default: false. */
  readonly watch?: boolean
  /** Many processes (mp) or a single one (sp). Default: mp on Linux, else sp. */
  readonly mode?: "mp" | "sp"
  /** Worker processes in mode mp. Default: the number of CPUs. */
  readonly workers?: number
  /** Bind each worker to one CPU. Default: true. */
  readonly pin?: boolean
  /**
   * Plain connections by the kernel's own calls (direct, on Linux) or through Bun (bun). Default:
   * direct.
   */
  readonly sockets?: "direct" | "bun"
  /** How the backend of a request is chosen. Default: round_robin. */
  readonly strategy?: "round_robin" | "random" | "weighted" | "sticky"
  /** With no healthy backend: try one all the same, or answer 503. Default: try. */
  readonly when_all_unhealthy?: "try" | "fail"
  /** Host field sent to the backends. Default: the client's; for a TLS backend its own name. */
  readonly host_header?: string | null
  /** Accept any certificate of a TLS backend. Default: false. */
  readonly insecure?: boolean
  /** Accept SHA-1 signatures and RSA keys below 2,048 bits from TLS backends. Default: false. */
  readonly weak_certificates?: boolean
  /** Least important lines to show. Default: info. */
  readonly log_level?: "err" | "warn" | "info" | "debug"
  /** Form of log lines; auto is text on a terminal, JSON otherwise. Default: auto. */
  readonly log_format?: "auto" | "text" | "json"
  /** Where log lines go; those of the access log have a setting of their own. Default: stderr. */
  readonly log_output?: "stderr" | "stdout"
  /** Log heads and bodies, secrets masked. Default: false. */
  readonly trace?: boolean
  /** Log the TLS details of backend connections. Default: false. */
  readonly tls_trace?: boolean
  /**
   * Take part in W3C traces: a span of its own in traceparent and in the access log. Default: off.
   */
  readonly tracing?: boolean | "on" | "off"
  /** Proxies in front whose X-Forwarded-* fields are believed. Default: none. */
  readonly trusted_proxies?: readonly string[] | string
  /** Add a Forwarded field (RFC 7239) to requests. Default: false. */
  readonly forwarded?: boolean
  /**
   * Fields such as X-Forwarded-Prefix to keep from any client, not from trusted proxies alone.
   * Default: none.
   */
  readonly forwarded_keep?: readonly string[] | string
  /**
   * Whose X-Request-Id is kept: nobody's (own), that of trusted proxies, or any client's. Default:
   * trusted.
   */
  readonly request_id?: "own" | "trusted" | "client"
  /**
   * Messages that get a Via field; on requests it switches compression off in some servers.
   * Default: off.
   */
  readonly via?: "off" | "request" | "response" | "both"
  /**
   * An address to listen on instead of host and port, and its pool; repeat for more. Default: one,
   * of host and port.
   */
  readonly listeners?: Readonly<Record<string, string | ListenerEntry>> | null
  /** A named set of backends; repeat for more. Default: one, of backends. */
  readonly pools?: Readonly<Record<string, readonly (string | BackendEntry)[] | PoolEntry>> | null
  readonly http?: {
    /** Lines that end with LF alone, as old clients and backends send them. Default: refuse. */
    readonly bare_lf?: "refuse" | "accept"
  } | null
  readonly health?: {
    /** Ask for a page, only connect, or send no probe. Default: http. */
    readonly type?: "http" | "tcp" | "none"
    /** Page to ask for. Default: /. */
    readonly path?: string
    /** Time between two probes of a backend. Default: 5s. */
    readonly interval?: Duration
    /** Time for a probe to succeed. Default: 2s. */
    readonly timeout?: Duration
    /** Status codes of a backend that is well. Default: 200. */
    readonly expect?: readonly (number | string)[] | string
    /** Host field of the probe. Default: the backend's own. */
    readonly host?: string | null
    /** Failures in a row that take a backend out. Default: 3. */
    readonly failures?: number
    /** Successes in a row that bring it back. Default: 2. */
    readonly successes?: number
    /** Upper limit of the success multiplier for flapping backends; 1: off. Default: 1. */
    readonly backoff?: number
    /**
     * Time in which the share of a backend that has come back grows; 0: all at once. Default: 0.
     */
    readonly slow_start?: Duration
  } | null
  readonly sticky?: {
    /** Name of the cookie. Default: bunlb. */
    readonly cookie?: string
    /** Secure attribute; auto: when the client came over TLS. Default: auto. */
    readonly secure?: "auto" | "on" | "off"
    /** SameSite attribute. Default: lax. */
    readonly same_site?: "lax" | "strict" | "none"
    /** Life of the cookie; 0 ends it with the browser session. Default: 0. */
    readonly max_age?: Duration
    /**
     * Secret that makes cookies; instances with the same key accept each other's. Default: a random
     * key until bunlb is restarted.
     */
    readonly key?: string | null
  } | null
  readonly timeouts?: {
    /** Connect to a backend. Default: 3s. */
    readonly connect?: Duration
    /** TLS handshake with a backend. Default: 5s. */
    readonly tls_handshake?: Duration
    /** A client's whole request head. Default: 10s. */
    readonly client_head?: Duration
    /** A client connection between two requests. Default: 75s. */
    readonly client_idle?: Duration
    /** A request body without a new byte. Default: 30s. */
    readonly client_body?: Duration
    /**
     * A client that acknowledges nothing of a response; a slow one that reads on is never cut.
     * Default: 1m.
     */
    readonly client_read?: Duration
    /** A backend's response head. Default: 1m. */
    readonly response_head?: Duration
    /** A response body without a new byte. Default: 1m. */
    readonly backend_body?: Duration
    /** An unused connection to a backend. Default: 30s. */
    readonly pool_idle?: Duration
    /** A WebSocket or other tunnel without a byte. Default: 1h. */
    readonly tunnel_idle?: Duration
    /** Requests in flight at a stop. Default: 30s. */
    readonly drain?: Duration
  } | null
  readonly keepalive?: {
    /** Silence after which TCP asks whether a client is still there; 0 never asks. Default: 1m. */
    readonly client?: Duration
    /** Silence after which TCP asks whether a backend is still there; 0 never asks. Default: 1m. */
    readonly backend?: Duration
  } | null
  readonly limits?: {
    /** A request head. Default: 16KiB. */
    readonly head_bytes?: Size
    /** Fields in a head. Default: 100. */
    readonly fields?: number
    /** A request line. Default: 8KiB. */
    readonly request_line_bytes?: Size
    /** A response head. Default: 64KiB. */
    readonly response_head_bytes?: Size
    /** Client connections of one worker; 0: what the descriptor limit allows. Default: 0. */
    readonly connections?: number
    /** Connections of one address to one worker, trusted proxies aside; 0: no limit. Default: 0. */
    readonly connections_per_client?: number
  } | null
  readonly pool?: {
    /** Unused connections kept, per backend and worker. Default: 512. */
    readonly idle?: number
    /** Age at which a connection is not reused. Default: 5m. */
    readonly max_age?: Duration
  } | null
  readonly retries?: {
    /** Times one request may be sent again. Default: 2. */
    readonly max?: number
    /** Retries allowed, as a share of requests. Default: 20. */
    readonly budget_percent?: number
    /** Retries always allowed, per second. Default: 10. */
    readonly budget_floor?: number
    /** Body bytes kept so that a request can be sent again. Default: 64KiB. */
    readonly replay_bytes?: Size
  } | null
  readonly access_log?: {
    /** One line for every request. Default: off. */
    readonly format?: "off" | "json" | "combined"
    /** Where the lines go; SIGUSR1 opens the file again. Default: stdout. */
    readonly path?: string
    /** Always write lines of this status and above; 0: no such rule. Default: 0. */
    readonly min_status?: number
    /** Always write lines of requests that take this long; 0: no such rule. Default: 0. */
    readonly slower_than?: Duration
    /** Share of all other lines. Default: 100, or 0 with a rule. */
    readonly sample_percent?: number | null
    /** Request fields to write as well; those that carry secrets masked. Default: none. */
    readonly fields?: readonly string[] | string
    /**
     * Query parameters whose values are masked; * masks all. Default: access_token, password and
     * the like.
     */
    readonly redact?: readonly string[] | string
  } | null
  readonly dns?: {
    /**
     * Name servers to ask instead of the system's; names must then be whole. Default: those of
     * /etc/resolv.conf.
     */
    readonly servers?: readonly string[] | string
    /**
     * Backends that one dns+http:// or srv+http:// may stand for; the rest is left out. Default:
     * 256.
     */
    readonly max_backends?: number
    /**
     * Address family to look up for names; addresses that are written out are used as they are.
     * Default: any.
     */
    readonly family?: "any" | "ipv4" | "ipv6"
  } | null
}

/** Backends of the default pool, or pools. */
export type BalancerOptions = BalancerSettings &
  (Pick<Required<BalancerSettings>, "backends"> | Pick<Required<BalancerSettings>, "pools">)

export interface TestBalancer extends AsyncDisposable {
  readonly port: number
  /** `http://127.0.0.1:PORT`; with several listeners that of the first. */
  readonly url: string
  /** That of each listener, by its name; `unix:/PATH` for a unix socket. */
  readonly urls: Readonly<Record<string, string>>
  /** What it has logged, with the level in front: `warn: backend 127.0.0.1:9001 is unhealthy: ...`. */
  readonly lines: readonly string[]
  /** The sum of a metric's samples, of those whose labels contain each of `labels`: `backend="127.0.0.1:9001"`. */
  figure(metric: string, ...labels: string[]): number
  /** Other backends, pools and settings from the next request on. Listeners stay where they are. */
  apply(options: BalancerOptions): Promise<void>
  /** Lets what is in flight end, for `ms` at most; resolves with the number of connections that were cut. */
  drain(ms: number): Promise<number>
  stop(): void
}

export interface BackendOptions {
  readonly name?: string
  /** That of a backend which was stopped, to bring it back; else any free one. */
  readonly port?: number
  /** Milliseconds before each answer. */
  readonly delay?: number
  /** The share of requests, 0 to 1, that are answered with `status`; evenly spread. */
  readonly failRate?: number
  readonly status?: number
  /** With a certificate that is good for tests only: say `insecure: true` to the balancer. */
  readonly tls?: boolean
}

export interface TestBackend extends Disposable {
  readonly name: string
  readonly port: number
  /** As the `backends` of a balancer take it. */
  readonly address: string
  /** Closes its port and every connection, as a crash does. */
  stop(): void
}

/** Throws an error with a line for each setting that makes no sense. */
export declare function startBalancer(options: BalancerOptions): Promise<TestBalancer>

export declare function startBackend(options?: BackendOptions): Promise<TestBackend>
