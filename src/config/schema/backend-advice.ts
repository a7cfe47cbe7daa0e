/** Advice for backends that are written wrong: what was meant, written right, with nothing of it lost. */
import { isIPv6 } from "node:net"
import { formatHostPort } from "./address.ts"
import { shown } from "./value-types.ts"

export const optionNames = ["weight", "backup", "tls", "ca", "drain", "disabled"]

const OPTION = /^(weight|ca)\s*=|^(backup|tls|drain|disabled)\s*(=|$)/

/** Keys that other balancers have for the address of a backend. */
const ADDRESS_KEYS = ["url", "address", "addr", "target", "server", "hostname", "ip"]

/**
 * For an entry that is an option on its own. YAML splits `[a:80,weight=3]` at its comma, and in BUNLB_BACKENDS a blank
 * ends an entry.
 */
export function optionAlone(entry: unknown, before: unknown): string | null {
  if (typeof entry !== "string" || !OPTION.test(entry.trim())) return null
  const backend = typeof before === "string" ? before.trim() : "HOST:PORT"
  const whole = JSON.stringify(`${backend},${entry.trim()}`)
  return `${shown(entry)} is an option and no backend: write the whole entry in quotes, ${whole}`
}

/** For an entry with a blank in it. */
export function blankAdvice(line: string): string {
  const [target = "", ...words] = line.split(/[\s,]+/)
  const options = words.filter((word) => OPTION.test(word))
  if (options.length === words.length && words.length > 0) {
    return `holds a blank, options follow a comma: ${[target, ...options].join(",")}`
  }
  if (words.every(isLikeBackend)) return "holds a blank: give each backend its own -b or entry"
  // Two lines of a YAML list become one when the second is indented further.
  return "holds a blank: one backend an entry, and in YAML all entries in one column"
}

/** `HOST:PORT` or a host with dots, and no option. */
export function isLikeBackend(word: string): boolean {
  return /^[^=]*[:.][^=]*$/.test(word)
}

/** The entries in a text that should have been a list: `a:80,weight=2, b:80`, or `a:80;b:80`. */
export function entriesIn(text: string): readonly string[] {
  const entries: string[] = []
  for (const word of text.split(/[\s,;]+/).filter((each) => each !== "")) {
    const whole = OPTION.test(word) ? entries.pop() : undefined
    entries.push(whole === undefined ? word : `${whole},${word}`)
  }
  return entries
}

/** The key of another balancer, and the entry as one line that keeps all its options; null when there is none. */
export function foreignEntry(
  object: Readonly<Record<string, unknown>>,
): { readonly key: string; readonly line: string } | null {
  const { host } = object
  const isWhole = typeof host === "string" && /:\/\/|^[^:[\]]+:\d+$|\]:\d+$/.test(host)
  const key = isWhole ? "host" : ADDRESS_KEYS.find((name) => name in object)
  if (key !== undefined && (isWhole || host === undefined)) {
    const value = typeof object[key] === "string" ? object[key].trim() : "10.0.0.1:8080"
    const options = optionNames.flatMap((name) => optionOf(name, object[name]))
    return { key, line: [withPort(value, object["port"]), ...options].join(",") }
  }
  // `10.0.0.1: 8080`, a blank behind the colon, is a mapping in YAML.
  const [only, ...others] = Object.entries(object)
  if (only === undefined || others.length > 0) return null
  // `a:80:` with its options below it.
  if (/:\d+$/.test(only[0]) && only[1] !== null && typeof only[1] === "object") {
    const below: Readonly<Record<string, unknown>> = { ...only[1] }
    const options = optionNames.flatMap((name) => optionOf(name, below[name]))
    return { key: only[0], line: [only[0], ...options].join(",") }
  }
  if (!/^\d{1,5}$/.test(String(only[1]))) return null
  // `[::1]:80` without quotes is one too.
  if (isIPv6(only[0])) return { key: only[0], line: formatHostPort(only[0], Number(only[1])) }
  return /^[\w.-]*[\w]$/.test(only[0]) && !isOwnKey(only[0])
    ? { key: only[0], line: `${only[0]}:${String(only[1])}` }
    : null
}

function isOwnKey(name: string): boolean {
  return ["host", "port", "discover", ...optionNames].includes(name)
}

function withPort(address: string, port: unknown): string {
  const scheme = /^[a-z+]+:\/\//i.exec(address)?.[0] ?? ""
  const host = address.slice(scheme.length).replace(/\/$/, "")
  const isAddress = /^[0-9a-f:]*:[0-9a-f:]*:[0-9a-f:.]*$/i.test(host)
  const hasPort = /(^[^:[\]]+|\]):\d+$/.test(host)
  if (hasPort || !/^\d{1,5}$/.test(String(port))) return scheme + host
  return scheme + (isAddress ? formatHostPort(host, Number(port)) : `${host}:${String(port)}`)
}

function optionOf(name: string, value: unknown): string[] {
  if (value === undefined || value === null || value === false) return []
  return [value === true ? name : `${name}=${String(value)}`]
}
