/**
 * Hosts, ports and networks as people write them, judged strictly and brought to one spelling:
 * lower case, IPv6 without needless zeros. One spelling matters because a backend's name seeds the
 * sticky cookie.
 */
import { isIP, isIPv4, isIPv6 } from "node:net"
import type { ValueType } from "./setting.ts"
import { shown, stringLike } from "./value-types.ts"

export interface HostPort {
  /** IPv6 without brackets. */
  readonly host: string
  /** Null when the text names none. */
  readonly port: number | null
}

const label = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/

/** The one spelling of a host name or address, or a sentence that says what is wrong with it. */
export function readHost(text: string): { host: string } | { fault: string } {
  const host = text.toLowerCase().replace(/\.$/, "")
  if (host === "") return { fault: "has no host in front of the port, such as 127.0.0.1" }
  const bare = host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host
  if (isIPv6(bare) && !bare.includes("%")) return { host: shortIPv6(bare) }
  if (bare !== host || /[:[\]]/.test(host)) return { fault: "is not an IPv6 address" }
  if (isIPv4(host)) return { host }
  const labels = host.split(".")
  if (/^[0-9]+$|^0x/.test(labels.at(-1) ?? "")) return { fault: "is not an IPv4 address" }
  if (/[\u0080-\uffff]/.test(host))
    return { fault: "has letters outside ASCII, write it as xn--..." }
  const valid = host.length <= 253 && labels.every((part) => label.test(part))
  return valid ? { host } : { fault: "is not a valid host name" }
}

function shortIPv6(address: string): string {
  return new URL(`http://[${address}]`).hostname.slice(1, -1)
}

/** `host:port` for people and labels, IPv6 in brackets. */
export function formatHostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`
}

/** Splits `host[:port]`; a fault is a sentence without its subject ("has no host"). */
export function readHostPort(text: string, lowestPort: 0 | 1): HostPort | { fault: string } {
  if (isIPv6(text)) {
    return { fault: "needs brackets around the IPv6 address, such as [::1]:8080" }
  }
  const colon = text.indexOf(":", text.lastIndexOf("]") + 1)
  const judged = readHost(colon === -1 ? text : text.slice(0, colon))
  if ("fault" in judged) {
    const many = text.split(":").length > 2 && !text.includes("[")
    return many ? { fault: "is not HOST:PORT; IPv6 needs brackets, such as [::1]:8080" } : judged
  }
  if (colon === -1) return { host: judged.host, port: null }
  const digits = text.slice(colon + 1)
  const port = /^\d{1,5}$/.test(digits) ? Number(digits) : -1
  if (port < lowestPort || port > 65_535) {
    return { fault: `has a bad port ${shown(digits)}, write a number from ${lowestPort} to 65535` }
  }
  return { host: judged.host, port }
}

/** An address to listen on. A name could mean several addresses, so only `localhost` is taken. */
export const listenHost: ValueType<string> = {
  kind: "scalar",
  placeholder: "IP",
  expects: "an IP address such as 0.0.0.0, 127.0.0.1 or ::",
  read(input, refuse) {
    if (input === "localhost") return "127.0.0.1"
    const judged = typeof input === "string" ? readHost(input) : { fault: "" }
    if ("host" in judged && isIP(judged.host) !== 0) return judged.host
    const both = typeof input === "string" && "port" in readHostPort(input, 0)
    const advice = both && /:\d+$/.test(input) ? ", the port is another setting: port" : ""
    return refuse(`expected ${listenHost.expects}, got ${shown(input)}${advice}`)
  },
  format: String,
  json: stringLike("^(localhost|[0-9.]+|\\[?[0-9A-Fa-f:.]+\\]?)$"),
}

/** An address or a network in CIDR form. */
export const network: ValueType<string> = {
  kind: "scalar",
  placeholder: "CIDR",
  expects: "an address or network such as 10.0.0.0/8",
  read(input, refuse) {
    const [address = "", prefix, ...rest] = String(input).toLowerCase().split("/")
    const version = address.includes("%") ? 0 : isIP(address)
    const bits = prefix === undefined || /^\d{1,3}$/.test(prefix) ? Number(prefix ?? 0) : -1
    const fits = bits >= 0 && bits <= (version === 4 ? 32 : 128)
    if (version === 0 || !fits || rest.length > 0) {
      return refuse(`expected ${network.expects}, got ${shown(input)}`)
    }
    const canonical = version === 6 ? shortIPv6(address) : address
    return prefix === undefined ? canonical : `${canonical}/${bits}`
  },
  format: String,
  json: stringLike("^[0-9A-Fa-f:.]+(/\\d{1,3})?$"),
}

/** Where a name server is: an address, with a port if it is not 53. */
export const nameServer: ValueType<string> = {
  kind: "scalar",
  placeholder: "IP[:PORT]",
  expects: "an IP address with or without a port, such as 10.0.0.53 or 127.0.0.1:5353",
  read(input, refuse) {
    // A link-local server needs the interface.
    const zone = /^[^%]+(%[\w.-]{1,15})(?=\]|$)/.exec(String(input))?.[1] ?? ""
    const text = String(input).replace(zone, "")
    const bare = isIPv6(text) && !text.includes("%")
    const judged = bare ? { host: shortIPv6(text), port: null } : readHostPort(text, 1)
    const version = "fault" in judged ? 0 : isIP(judged.host)
    if ("fault" in judged || version === 0 || (zone !== "" && version === 4)) {
      return refuse(`expected ${nameServer.expects}, got ${shown(input)}`)
    }
    const host = judged.host + zone
    return judged.port === null ? host : formatHostPort(host, judged.port)
  },
  format: String,
  json: stringLike("^[0-9A-Fa-f:.\\[\\]]+(%[\\w.-]+\\]?(:\\d+)?)?$"),
}

/** A Host field: a name or address with or without a port, forwarded as it is written. */
export const hostField: ValueType<string> = {
  kind: "scalar",
  placeholder: "HOST",
  expects: "a host name with or without a port",
  read(input, refuse) {
    const judged = typeof input === "string" ? readHostPort(input, 1) : { fault: "" }
    return "fault" in judged
      ? refuse(`expected ${hostField.expects}, got ${shown(input)}`)
      : String(input)
  },
  format: String,
  json: stringLike("^[^\\s/]+$"),
}

/** Only this machine can reach a listener at `host`. */
export function isPrivateListener(host: string): boolean {
  return host === "::1" || (isIPv4(host) && host.startsWith("127."))
}
