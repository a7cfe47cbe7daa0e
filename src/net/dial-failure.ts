/**
 * What a dial that failed means, in words from a small fixed set, whether the kernel said so or Bun.
 */
import { readFileSync } from "node:fs"

export interface DialFailure {
  /** "connect refused", for one. */
  readonly reason: string
  /** bunlb itself lacks descriptors, memory or ports: says nothing about the backend. */
  readonly local: boolean
  /** Only local ports towards this address are used up, which says nothing about other addresses. */
  readonly noPort: boolean
  readonly timeout: boolean
  readonly tls: boolean
}

const EAGAIN = 11
const ENOMEM = 12
const EAFNOSUPPORT = 97
const EADDRNOTAVAIL = 99
const ENETUNREACH = 101
const ECONNRESET = 104
const ENOBUFS = 105
const ETIMEDOUT = 110
const ECONNREFUSED = 111
const EHOSTUNREACH = 113

/** A failure of the backend, or of the way to it. */
export const plainFailure = { local: false, noPort: false, timeout: false, tls: false } as const

const plain = plainFailure

/** socket(2) has failed. */
export function socketFailure(errno: number): DialFailure {
  if (errno === EAFNOSUPPORT) return { ...plain, reason: "unreachable" }
  return { ...plain, reason: "out of descriptors", local: true }
}

/** connect(2) to `ip` has failed at once. */
export function immediateFailure(errno: number, ip: string): DialFailure {
  if (errno === ECONNREFUSED) return failureOfErrno(errno)
  if (errno === ENOMEM || errno === ENOBUFS)
    return { ...plain, reason: "out of memory", local: true }
  const noAddress = errno === EADDRNOTAVAIL && ip.includes(":") && lacksIpv6()
  const noPort = !noAddress && (errno === EAGAIN || errno === EADDRNOTAVAIL)
  return { ...plain, reason: noPort ? NO_PORT : "unreachable", local: noPort, noPort }
}

const NO_PORT = "out of local ports"

/** No address of this machine is IPv6, so it is not a port that is missing. */
function lacksIpv6(): boolean {
  try {
    return readFileSync("/proc/net/if_inet6", "latin1") === ""
  } catch {
    return true
  }
}

/** The dial has failed because nothing answers at the address, or no way leads there; others may be tried. */
export function isNoWay({ reason }: DialFailure): boolean {
  return reason === "unreachable" || reason === reasons["ETIMEDOUT"]
}

const names: Readonly<Record<number, string>> = {
  [ECONNREFUSED]: "ECONNREFUSED",
  [ETIMEDOUT]: "ETIMEDOUT",
  [ECONNRESET]: "ECONNRESET",
  [EHOSTUNREACH]: "EHOSTUNREACH",
  [ENETUNREACH]: "ENETUNREACH",
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connect refused",
  ETIMEDOUT: "connect timed out",
  ECONNRESET: "connection reset",
  EHOSTUNREACH: "unreachable",
  ENETUNREACH: "unreachable",
}

/** The connect has ended with `errno`. */
export function failureOfErrno(errno: number): DialFailure {
  return failureOfCode(names[errno] ?? `errno ${errno}`)
}

/** By the `code` of Bun's error. */
export function failureOfCode(code: string): DialFailure {
  if (code === "EADDRNOTAVAIL") return { ...plain, reason: NO_PORT, local: true, noPort: true }
  return { ...plain, reason: reasons[code] ?? `connect failed ${code}`.trim() }
}
