/** Addresses as the kernel takes them: struct sockaddr_in and sockaddr_in6 of Linux, ip(7) and ipv6(7). */
import { parseIp } from "./address.ts"

const AF_INET = 2
const AF_INET6 = 10

export interface Sockaddr {
  readonly family: typeof AF_INET | typeof AF_INET6
  readonly bytes: Uint8Array
}

/** Null when `ip` is no address. An IPv4 address in IPv6 form is dialled as IPv4. */
export function sockaddr(ip: string, port: number): Sockaddr | null {
  const parsed = parseIp(ip)
  if (parsed === null) return null
  const v4 = parsed.family === 4
  const bytes = new Uint8Array(v4 ? 16 : 28)
  const view = new DataView(bytes.buffer)
  const family = v4 ? AF_INET : AF_INET6
  view.setUint16(0, family, true)
  view.setUint16(2, port)
  const address = v4 ? 4 : 8
  parsed.groups.forEach((group, i) => view.setUint16(address + i * 2, group))
  return { family, bytes }
}
