/** Where clients come: `:80`, `10.0.0.5:8000`, `[::1]:80`, `unix:/run/bunlb.sock`. */
import { isIPv4 } from "node:net"
import { readSocketPath, SCHEME } from "./admin-address.ts"
import { formatHostPort, listenHost, readHostPort } from "./address.ts"
import type { ListenAddress } from "./settings.ts"
import type { Refuse, ValueType } from "./setting.ts"
import { shown, stringLike } from "./value-types.ts"

export const listenAddress: ValueType<ListenAddress> = {
  kind: "scalar",
  placeholder: "ADDRESS",
  expects: '":PORT" for every address, IP:PORT such as 10.0.0.5:80 or [::1]:80, or unix:/PATH',
  read(input, refuse) {
    const text = typeof input === "string" ? input.trim() : ""
    if (text.startsWith(`${SCHEME}/`)) return readSocketPath(text.slice(SCHEME.length), refuse)
    const everywhere = text.startsWith(":") && !text.startsWith("::")
    const judged = readHostPort(everywhere ? `0.0.0.0${text}` : text, 0)
    if ("fault" in judged || judged.port === null) return refuseAddress(input, refuse)
    const { port } = judged
    if (everywhere) return { host: "", port }
    const host = listenHost.read(judged.host, () => undefined)
    return host === undefined ? refuseAddress(input, refuse) : { host, port }
  },
  format: formatListen,
  json: stringLike("^(\\[[0-9A-Fa-f:.]+\\]|localhost|[0-9.]*):\\d{1,5}$|^unix:/.+$"),
}

function refuseAddress(input: unknown, refuse: Refuse): undefined {
  const port = /^(?:\*:|tcp:\/\/:?)?(\d{1,5})$/.exec(String(input).trim())?.[1]
  const advice = port === undefined ? "" : `, write ":${port}"`
  return refuse(`expected ${listenAddress.expects}, got ${shown(input)}${advice}`)
}

export function formatListen(address: ListenAddress): string {
  if ("path" in address) return `${SCHEME}${address.path}`
  return formatHostPort(address.host, address.port)
}

/** Whether both cannot be bound by one program: they are the same, or one is all addresses of this machine. */
export function overlaps(some: ListenAddress, other: ListenAddress): boolean {
  if ("path" in some || "path" in other) {
    return "path" in some && "path" in other && some.path === other.path
  }
  if (some.port !== other.port || some.port === 0) return false
  return includes(some.host, other.host) || includes(other.host, some.host)
}

/** `::` takes connections over IPv4 too. */
function includes(host: string, other: string): boolean {
  return host === other || host === "" || host === "::" || (host === "0.0.0.0" && isIPv4(other))
}
