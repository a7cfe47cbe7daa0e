/** The records of a configuration: what may be said of one listener and of one pool. */
import { entriesIn } from "./backend-advice.ts"
import { backend, backendList } from "./backend.ts"
import { recordAdvice } from "./foreign-words.ts"
import { formatListen, listenAddress } from "./listen-address.ts"
import { faultOfName, type NamedRecord, type RecordKind } from "./named-records.ts"
import { recordRow, type RecordRow } from "./record.ts"
import { DEFAULT_NAME } from "./pools.ts"
import type { Refuse, Setting, ValueType } from "./setting.ts"
import type { BackendSettings, ListenAddress } from "./settings.ts"
import { didYouMean } from "./spelling.ts"
import { shown, stringLike } from "./value-types.ts"

/** Rows of the whole file, by key. */
type Rows = Readonly<Record<string, Setting<unknown>>>

const MOST_LISTENERS = 64
const MOST_POOLS = 256

/** Of the client's side of an exchange. */
function isListenerKey(key: string): boolean {
  if (/^(half_close|trusted_proxies|forwarded|forwarded_keep|request_id|via)$/.test(key))
    return true
  return /^(timeouts\.client_|limits\.(?!response_)|keepalive\.client$)/.test(key)
}

/** Of the backend's side of an exchange. */
function isPoolKey(key: string): boolean {
  if (/^(strategy|when_all_unhealthy|host_header|insecure|weak_certificates)$/.test(key))
    return true
  if (/^(health|sticky|pool|retries)(\.|$)/.test(key)) return true
  if (key === "limits.response_head_bytes" || key === "keepalive.backend") return true
  return /^timeouts\.(?!client_|drain$)/.test(key)
}

const poolName: ValueType<string> = {
  kind: "scalar",
  placeholder: "NAME",
  expects: "the name of a pool",
  read(input, refuse) {
    const fault = faultOfName(String(input), "pool")
    return fault === null ? String(input) : refuse(fault)
  },
  format: String,
  json: { type: "string" },
}

const UMASK = "what the umask leaves"

/** A number would be ambiguous: languages read 0660 in three ways. */
const socketMode: ValueType<number | null> = {
  kind: "scalar",
  placeholder: "MODE",
  expects: 'permissions in octal and in quotes, such as "0660"',
  read(input, refuse) {
    if (input === null) return null
    const fits = typeof input === "string" && /^0?[0-7]{3}$/.test(input)
    return fits
      ? Number.parseInt(input, 8)
      : refuse(`expected ${socketMode.expects}, got ${shown(input)}`)
  },
  format: (mode) => (mode === null ? UMASK : mode.toString(8).padStart(4, "0")),
  json: { anyOf: [{ type: "null" }, stringLike("^0?[0-7]{3}$")] },
  typescript: "string | null",
}

export function listenerKind(rows: Rows): RecordKind {
  const own: readonly RecordRow[] = [
    recordRow("address", listenAddress, "Address to listen on", "none"),
    recordRow("pool", poolName, "The pool that serves its requests", DEFAULT_NAME),
    recordRow("socket_mode", socketMode, "Permissions of a unix socket, such as 0660", UMASK),
  ]
  return {
    ...{ noun: "listener", plural: "listeners", main: "address", most: MOST_LISTENERS },
    rows: [...own, ...shared(rows, isListenerKey)],
    example: 'web: ":80"',
    placeholder: "[NAME=]ADDRESS[,pool=NAME]",
    readWord: readListener,
    formatWord: ({ name, values }) => {
      const address = formatListen(values["address"] as ListenAddress)
      const pool = values["pool"] === undefined ? "" : `,pool=${String(values["pool"])}`
      return `${name}=${address}${pool}`
    },
    elsewhere: elsewhere(rows, ["host", "port", "backends", "pools"], isPoolKey, "pools"),
    typescript: "string | ListenerEntry",
  }
}

export function poolKind(rows: Rows): RecordKind {
  const own: readonly RecordRow[] = [recordRow("backends", backendList, "Its backends", "none")]
  return {
    ...{ noun: "pool", plural: "pools", main: "backends", most: MOST_POOLS },
    rows: [...own, ...shared(rows, isPoolKey)],
    example: 'api: ["10.0.0.1:80", "10.0.0.2:80"]',
    placeholder: "'NAME=HOST:PORT[,weight=N] ...'",
    readWord: readPool,
    formatWord: ({ name, values }) => {
      const backends = values["backends"] as readonly BackendSettings[]
      return `${name}=${backends.map((each) => backend.format(each)).join(";")}`
    },
    elsewhere: elsewhere(rows, ["host", "port"], isListenerKey, "listeners"),
    typescript: "readonly (string | BackendEntry)[] | PoolEntry",
  }
}

function shared(rows: Rows, isOurs: (key: string) => boolean): readonly RecordRow[] {
  return Object.entries(rows).flatMap(([key, { type, help, secret = false }]) => {
    if (!isOurs(key)) return []
    const defaultText =
      key === "sticky.cookie"
        ? "that of the top level, _ and the name of the pool"
        : "that of the top level"
    return [{ ...recordRow(key, type, help, defaultText), secret }]
  })
}

/** `not`: keys of the file that are meant for something else in a record. */
function elsewhere(
  rows: Rows,
  not: readonly string[],
  isTheirs: (key: string) => boolean,
  them: string,
): (path: string) => string | null {
  const top = new Set(Object.keys(rows).flatMap((key) => [key, key.split(".")[0] ?? key]))
  for (const key of ["listeners", "pools"]) top.add(key)
  return (path) => {
    if (not.includes(path) || !top.has(path)) return null
    return isTheirs(path)
      ? `, it is a setting of ${them} and of the top level`
      : ", it belongs at the top level"
  }
}

function readListener(word: string, refuse: Refuse): NamedRecord | undefined {
  const [first = "", ...options] = word.trim().split(",")
  const named = /^([^=:/[]*)=(.*)$/s.exec(first)
  const name = named?.[1] ?? DEFAULT_NAME
  const fault = faultOfName(name, "listener")
  if (fault !== null) return refuse(fault)
  const say: Refuse = (message) => refuse(`listener ${name}: ${message}`)
  const address = listenAddress.read(named?.[2] ?? first, say)
  if (address === undefined) return undefined
  const values: Record<string, unknown> = { address }
  for (const option of options) {
    const [key = "", value = ""] = option.split(/=(.*)/s).map((part) => part.trim())
    if (key !== "pool") {
      const foreign = recordAdvice("listener", key, () => null) ?? didYouMean(key, ["pool"])
      return say(`unknown option ${shown(key)}${foreign || ", there is pool=NAME"}`)
    }
    const pool = poolName.read(value, say)
    if (pool === undefined) return undefined
    values["pool"] = pool
  }
  return { name, values }
}

function readPool(word: string, refuse: Refuse): NamedRecord | undefined {
  const named = /^([^=:/[,;\s]*)\s*=(.*)$/s.exec(word.trim())
  if (named === null) return refuse(`${shown(word)} has no name, write NAME=HOST:PORT`)
  const [, name = "", rest = ""] = named
  const fault = faultOfName(name, "pool")
  if (fault !== null) return refuse(fault)
  const entries = entriesIn(rest)
  const say: Refuse = (message) => refuse(`pool ${name}: ${message}`)
  if (entries.length === 0) return say(`has no backends, write ${name}=HOST:PORT`)
  const backends = backendList.read(rest.split(/[\s;]+/).filter(Boolean), say)
  return backends && { name, values: { backends } }
}
