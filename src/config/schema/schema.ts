/**
 * Every setting, described once. Flags, file validation, help, defaults and docs/configuration.md
 * all come from this table, so that none of them can say something else; the order here is the
 * order people see.
 */
import { adminAddress } from "./admin-address.ts"
import { hostField, listenHost } from "./address.ts"
import { backendList } from "./backend.ts"
import { flagName } from "./flag-names.ts"
import { healthRows } from "./health.ts"
import { httpRows } from "./http.ts"
import { namedRecords } from "./named-records.ts"
import { limitsRows } from "./limits.ts"
import { listenerKind, poolKind } from "./record-kinds.ts"
import { recordsRows } from "./records.ts"
import { group, type SchemaRows } from "./row.ts"
import type { Setting, SettingKey, ValueType } from "./setting.ts"
import type { LogFormat, LogLevel, LogOutput, Mode } from "./settings.ts"
import type { SocketKind, StrategyName } from "./settings.ts"
import {
  advised,
  boolean,
  integer,
  lengthAlone,
  oneOf,
  onOff,
  optional,
  text,
} from "./value-types.ts"

const listenPort = advised(integer(0, 65_535, "PORT"), (input) =>
  String(input).includes(":") ? "the address is another setting: host" : null,
)
const workerCount = advised(integer(1, 256), (input) =>
  input === "auto" || input === "0" || input === 0 ? "leave it out for one a CPU" : null,
)

const logLevels: ValueType<LogLevel> = oneOf<LogLevel>(["err", "warn", "info", "debug"], {
  error: "err",
  warning: "warn",
})

const serving = group("Serving")
const processes = group("Processes")
const balancing = group("Balancing")
const logging = group("Logging")

/** All rows but those of the records, whose own rows are among them. */
const plainRows = {
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
  half_close: serving(
    boolean,
    false,
    "Answer clients that have closed their sending side; otherwise that cancels their requests",
  ),
  watch: serving(boolean, false, "Reload when the configuration file or a CA file changes"),

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
  insecure: balancing(boolean, false, "Accept any certificate of a TLS backend", { short: "k" }),
  weak_certificates: balancing(
    boolean,
    false,
    "Accept SHA-1 signatures and RSA keys below 2,048 bits from TLS backends",
  ),

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

  ...httpRows,
  ...healthRows,
  ...limitsRows,
  ...recordsRows,
} satisfies Omit<SchemaRows, "listeners" | "pools">

// A row is read through its own type only, so the types of the values may be forgotten here.
const anyRows = plainRows as unknown as Readonly<Record<string, Setting<unknown>>>

export const listeners = listenerKind(anyRows)
export const pools = poolKind(anyRows)

export const schema: SchemaRows = {
  ...plainRows,
  listeners: serving(
    namedRecords(listeners),
    [],
    "An address to listen on instead of host and port, and its pool; repeat for more",
    { flag: "listen", defaultText: "one, of host and port" },
  ),
  pools: serving(namedRecords(pools), [], "A named set of backends; repeat for more", {
    flag: "pool",
    defaultText: "one, of backends",
  }),
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
