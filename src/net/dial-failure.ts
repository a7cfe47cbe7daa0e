/**
 * What a dial that failed means, in words from a small fixed set, whether the kernel said so or Bun.
 */
export interface DialFailure {
  /** "connect refused", for one. */
  readonly reason: string
  /** bunlb itself lacks descriptors or ports: says nothing about the backend. */
  readonly local: boolean
  readonly timeout: boolean
  readonly tls: boolean
}

const EAGAIN = 11
const EADDRNOTAVAIL = 99
const ENETUNREACH = 101
const ECONNRESET = 104
const ETIMEDOUT = 110
const ECONNREFUSED = 111
const EHOSTUNREACH = 113

const plain = { local: false, timeout: false, tls: false } as const

/** connect(2) has failed at once. */
export function immediateFailure(errno: number): DialFailure {
  if (errno === ECONNREFUSED) return failureOfErrno(errno)
  const local = errno === EAGAIN || errno === EADDRNOTAVAIL
  return { ...plain, reason: local ? "out of local ports" : "unreachable", local }
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
  return { ...plain, reason: reasons[code] ?? `connect failed ${code}`.trim() }
}
