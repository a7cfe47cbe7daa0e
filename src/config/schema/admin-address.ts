/**
 * Where the admin listener is: an address with a port, or a unix socket, which only its owner may open. For both
 * the question that matters is answered here: can anybody but this machine's own reach it?
 */
import { formatHostPort, isPrivateListener, listenHost, readHostPort } from "./address.ts"
import type { ValueType } from "./setting.ts"
import { shown, stringLike } from "./value-types.ts"

export type AdminAddress =
  | { readonly host: string; readonly port: number }
  /** Absolute, so that commands find it from every folder. */
  | { readonly path: string }

export const SCHEME = "unix:"
/** What the kernel takes, 108 bytes with a zero behind, less what a socket in the making has behind its name. */
const LONGEST_PATH = 92

/** Null for `off`. */
export const adminAddress: ValueType<AdminAddress | null> = {
  kind: "scalar",
  placeholder: "HOST:PORT|unix:/PATH|off",
  expects: "HOST:PORT such as 127.0.0.1:9900, unix:/PATH, or off",
  read(input, refuse) {
    if (input === false || input === null || /^off$/i.test(String(input))) return null
    if (typeof input === "string" && input.startsWith(`${SCHEME}/`)) {
      return readSocketPath(input.slice(SCHEME.length), refuse)
    }
    const judged = typeof input === "string" ? readHostPort(input, 0) : { fault: "" }
    if ("fault" in judged || judged.port === null) {
      return refuse(`expected ${adminAddress.expects}, got ${shown(input)}`)
    }
    const host = listenHost.read(judged.host, refuse)
    return host === undefined ? undefined : { host, port: judged.port }
  },
  format: (value) => (value === null ? "off" : formatAdmin(value)),
  json: { anyOf: [{ enum: ["off", false, null] }, stringLike("^(\\S+:\\d{1,5}|unix:/.+)$")] },
}

/** The name of a unix socket. */
export function readSocketPath(
  path: string,
  refuse: (message: string) => undefined,
): { readonly path: string } | undefined {
  if (/[\x00-\x1f\x7f]/.test(path) || path.endsWith("/")) {
    return refuse(`expected the name of a socket, such as unix:/run/bunlb/admin.sock`)
  }
  const length = new TextEncoder().encode(path).length
  if (length <= LONGEST_PATH) return { path }
  return refuse(`the path of a socket has at most ${LONGEST_PATH} bytes, this one has ${length}`)
}

export function formatAdmin(address: AdminAddress): string {
  if ("path" in address) return `${SCHEME}${address.path}`
  return formatHostPort(address.host, address.port)
}

/** Only this machine can reach it; through a socket only the user who runs bunlb, and root. */
export function isPrivateAdmin(address: AdminAddress): boolean {
  return "path" in address || isPrivateListener(address.host)
}
