/**
 * Every setting, described once. Flags, file validation, help, defaults and docs/configuration.md
 * all come from this table, so that none of them can say something else; the order here is the
 * order people see.
 */
import { adminAddress } from "./admin-address.ts"
import { hostField, listenHost, nameServer, network } from "./address.ts"
import { backendList } from "./backend.ts"
import { flagName } from "./flag-names.ts"
import type { Setting, SettingGroup, SettingKey, SettingValues, ValueType } from "./setting.ts"
import type { LogFormat, LogLevel, LogOutput, Mode } from "./settings.ts"
import type { SocketKind, StrategyName } from "./settings.ts"
import {
  advised,
  boolean,
  lengthAlone,
  duration,
  integer,
  list,
  oneOf,
  onOff,
  optional,
  size,
  statusRange,
  text,
} from "./value-types.ts"

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const KIB = 1_024

/** Time limits are finite by rule: a week is the longest, and zero is not "for ever". */
const limit = duration(1, 168 * HOUR)

/** Query parameters that carry secrets more often than not. */
const secretParameters = [
  ..."access_token api_key apikey auth authorization key passwd password".split(" "),
  ..."secret session sig signature token".split(" "),
]

const listenPort = advised(integer(0, 65_535, "PORT"), (input) =>
  String(input).includes(":") ? "the address is another setting: host" : null,
)
const workerCount = advised(integer(1, 256), (input) =>
  input === "auto" || input === "0" || input === 0 ? "leave it out for one a CPU" : null,
)

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/
const logLevels: ValueType<LogLevel> = oneOf<LogLevel>(["err", "warn", "info", "debug"], {
  error: "err",
  warning: "warn",
})

type Extras<T> = Partial<Pick<Setting<T>, "short" | "flag" | "alias" | "defaultText" | "secret">>

function group(name: SettingGroup) {
  return <T>(type: ValueType<T>, value: T, help: string, extras: Extras<T> = {}): Setting<T> => ({
    type,
    group: name,
    help,
    default: () => value,
    ...extras,
  })
}

const serving = group("Serving")
const processes = group("Processes")
const balancing = group("Balancing")
const logging = group("Logging")
const health = group("Health checks")
const sticky = group("Sticky sessions")
const times = group("Time limits")
const sizes = group("Size limits")
const pool = group("Connection pool")
const retries = group("Retries")
const accessLog = group("Access log")
const dns = group("DNS")

export const schema: { readonly [Key in SettingKey]: Setting<SettingValues[Key]> } = {
  backends: serving(backendList, [], "A server to send requests to; repeat for more", {
    short: "b",
    flag: "backend",
    defaultText: "none",
  }),
  port: serving(listenPort, 8080, "Port to listen on; 0 takes a free one", { short: "p" }),
  host: serving(listenHost, "0.0.0.0", "Address to listen on", { short: "h" }),
  admin: serving(
    adminAddress,
    { host: "127.0.0.1", port: 9900 },
    "Where /metrics, /health and the status API are served",
  ),
  admin_token: serving(
    optional(
      text(/^[\x21-\x7e]{16,256}$/, "16 to 256 characters without spaces", "TOKEN", lengthAlone),
      "none",
    ),
    null,
    "What `reload`, `drain` and the like must show; needed unless admin is a loopback address",
    { secret: true },
  ),
  watch: serving(boolean, false, "Reload when the configuration file changes"),

  mode: {
    ...processes(oneOf<Mode>(["mp", "sp"]), "mp", "Many processes (mp) or a single one (sp)", {
      short: "m",
      defaultText: "mp on Linux, else sp",
    }),
    default: ({ platform }) => (platform === "linux" ? "mp" : "sp"),
  },
  workers: {
    ...processes(workerCount, 1, "Worker processes in mode mp", {
      short: "w",
      defaultText: "the number of CPUs",
    }),
    default: ({ cpus }) => Math.min(Math.max(cpus, 1), 256),
  },
  pin: processes(boolean, true, "Bind each worker to one CPU"),
  sockets: processes(
    oneOf<SocketKind>(["direct", "bun"]),
    "direct",
    "Plain connections by the kernel's own calls (direct, on Linux) or through Bun (bun)",
  ),

  strategy: balancing(
    oneOf<StrategyName>(["round_robin", "random", "weighted", "sticky"]),
    "round_robin",
    "How the backend of a request is chosen",
    { short: "s" },
  ),
  when_all_unhealthy: balancing(
    oneOf<"try" | "fail">(["try", "fail"]),
    "try",
    "With no healthy backend: try one all the same, or answer 503",
  ),
  host_header: balancing(
    optional(hostField, "the client's; for a TLS backend its own name"),
    null,
    "Host field sent to the backends",
  ),
  trusted_proxies: balancing(
    list(network, 256),
    [],
    "Proxies in front whose X-Forwarded-* fields are believed",
    { defaultText: "none" },
  ),
  forwarded: balancing(boolean, false, "Add a Forwarded field (RFC 7239) to requests"),
  insecure: balancing(boolean, false, "Accept any certificate of a TLS backend", { short: "k" }),

  log_level: logging(logLevels, "info", "Least important lines to show", {
    short: "l",
    alias: "loglevel",
  }),
  log_format: logging(
    oneOf<LogFormat>(["auto", "text", "json"]),
    "auto",
    "Form of log lines; auto is text on a terminal, JSON otherwise",
  ),
  log_output: logging(
    oneOf<LogOutput>(["stderr", "stdout"]),
    "stderr",
    "Where log lines go; those of the access log have a setting of their own",
  ),
  trace: logging(boolean, false, "Log heads and bodies, secrets masked", { short: "t" }),
  tls_trace: logging(boolean, false, "Log the TLS details of backend connections"),
  tracing: logging(
    onOff,
    false,
    "Take part in W3C traces: a span of its own in traceparent and in the access log",
  ),

  "health.type": health(
    oneOf<"http" | "tcp" | "none">(["http", "tcp", "none"]),
    "http",
    "Ask for a page, only connect, or send no probe",
  ),
  "health.path": health(
    text(/^\/[\x21-\x7e]{0,1023}$/, 'a path that begins with "/"', "PATH"),
    "/",
    "Page to ask for",
  ),
  "health.interval": health(
    duration(100, HOUR),
    5 * SECOND,
    "Time between two probes of a backend",
  ),
  "health.timeout": health(duration(10, HOUR), 2 * SECOND, "Time for a probe to succeed"),
  "health.expect": health(
    list(statusRange, 16),
    [[200, 200]],
    "Status codes of a backend that is well",
  ),
  "health.host": health(optional(hostField, "the backend's own"), null, "Host field of the probe"),
  "health.failures": health(integer(1, 100), 3, "Failures in a row that take a backend out"),
  "health.successes": health(integer(1, 100), 2, "Successes in a row that bring it back"),
  "health.backoff": health(
    integer(1, 64),
    1,
    "Times as many successes, doubling, for one that fails again within a minute; 1: never more",
  ),
  "health.slow_start": health(
    duration(0, HOUR),
    0,
    "Time in which the share of a backend that has come back grows; 0: all at once",
  ),

  "sticky.cookie": sticky(text(token, "a cookie name", "NAME"), "bunlb", "Name of the cookie"),
  "sticky.secure": sticky(
    oneOf<"auto" | "on" | "off">(["auto", "on", "off"], { true: "on", false: "off" }),
    "auto",
    "Secure attribute; auto: when the client came over TLS",
  ),
  "sticky.same_site": sticky(
    oneOf<"lax" | "strict" | "none">(["lax", "strict", "none"]),
    "lax",
    "SameSite attribute",
  ),
  "sticky.max_age": sticky(
    duration(0, 8_784 * HOUR, SECOND),
    0,
    "Life of the cookie; 0 ends it with the browser session",
  ),

  "timeouts.connect": times(limit, 3 * SECOND, "Connect to a backend"),
  "timeouts.tls_handshake": times(limit, 5 * SECOND, "TLS handshake with a backend"),
  "timeouts.client_head": times(limit, 10 * SECOND, "A client's whole request head"),
  "timeouts.client_idle": times(limit, 75 * SECOND, "A client connection between two requests"),
  "timeouts.client_body": times(limit, 30 * SECOND, "A request body without a new byte"),
  "timeouts.response_head": times(limit, 60 * SECOND, "A backend's response head"),
  "timeouts.backend_body": times(limit, 60 * SECOND, "A response body without a new byte"),
  "timeouts.pool_idle": times(limit, 30 * SECOND, "An unused connection to a backend"),
  "timeouts.tunnel_idle": times(limit, HOUR, "A WebSocket or other tunnel without a byte"),
  "timeouts.drain": times(duration(0, 168 * HOUR), 30 * SECOND, "Requests in flight at a stop"),

  "limits.head_bytes": sizes(size(KIB, 256 * KIB), 16 * KIB, "A request head"),
  "limits.fields": sizes(integer(1, 1_000), 100, "Fields in a head"),
  "limits.request_line_bytes": sizes(size(256, 64 * KIB), 8 * KIB, "A request line"),
  "limits.response_head_bytes": sizes(size(KIB, 1_024 * KIB), 64 * KIB, "A response head"),
  "limits.connections": sizes(
    integer(0, 1_000_000),
    0,
    "Client connections of one worker; 0: what the descriptor limit allows",
  ),
  "limits.connections_per_client": sizes(
    integer(0, 1_000_000),
    0,
    "Connections of one address to one worker, trusted proxies aside; 0: no limit",
  ),

  "pool.idle": pool(integer(0, 65_535), 512, "Unused connections kept, per backend and worker"),
  "pool.max_age": pool(limit, 5 * MINUTE, "Age at which a connection is not reused"),

  "retries.max": retries(integer(0, 10), 2, "Times one request may be sent again"),
  "retries.budget_percent": retries(integer(0, 100), 20, "Retries allowed, as a share of requests"),
  "retries.budget_floor": retries(integer(0, 1_000_000), 10, "Retries always allowed, per second"),
  "retries.replay_bytes": retries(
    size(0, 1_024 * KIB),
    64 * KIB,
    "Body bytes kept so that a request can be sent again",
  ),

  "access_log.format": accessLog(
    oneOf<"off" | "json" | "combined">(["off", "json", "combined"]),
    "off",
    "One line for every request",
    { alias: "access-log" },
  ),
  "access_log.path": accessLog(
    text(/^[^\x00-\x1f]{1,4096}$/, "stdout or the name of a file", "FILE"),
    "stdout",
    "Where the lines go; SIGUSR1 opens the file again",
  ),
  "access_log.min_status": accessLog(
    integer(0, 599, "STATUS"),
    0,
    "Always write lines of this status and above; 0: no such rule",
  ),
  "access_log.slower_than": accessLog(
    duration(0, HOUR),
    0,
    "Always write lines of requests that take this long; 0: no such rule",
  ),
  "access_log.sample_percent": accessLog(
    optional(integer(0, 100), "100, or 0 with a rule"),
    null,
    "Share of all other lines",
  ),
  "access_log.fields": accessLog(
    list(text(token, "a field name", "NAME"), 32),
    [],
    "Request fields to write as well; those that carry secrets masked",
    { defaultText: "none" },
  ),
  "access_log.redact": accessLog(
    list(text(token, "a parameter name", "NAME"), 256),
    secretParameters,
    "Query parameters whose values are masked; * masks all",
    { defaultText: "access_token, password and the like" },
  ),

  "dns.servers": dns(
    list(nameServer, 8),
    [],
    "Name servers to ask instead of the system's; names must then be whole",
    { defaultText: "those of /etc/resolv.conf" },
  ),
  "dns.max_backends": dns(
    integer(1, 1_024),
    256,
    "Backends that one dns+http:// or srv+http:// may stand for; the rest is left out",
  ),
}

/** One row of the table, its value type forgotten: what help, docs and flags need. */
export interface SettingRow {
  readonly key: SettingKey
  readonly flag: string
  readonly setting: Setting<unknown>
  /** The default in words. */
  readonly defaultText: string
}

/** All rows in the order of the table. Defaults that depend on the machine have their own words. */
export const settingRows: readonly SettingRow[] = (Object.keys(schema) as SettingKey[]).map(
  (key) => {
    // Rows are read through their own type only, so the types of the values may be forgotten here.
    const setting = schema[key] as unknown as Setting<unknown>
    const value = setting.default({ cpus: 1, platform: "linux" })
    const defaultText = setting.defaultText ?? setting.type.format(value)
    return { key, flag: flagName(key, setting), setting, defaultText }
  },
)
