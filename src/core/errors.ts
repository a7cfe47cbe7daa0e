/**
 * Every error that bunlb shows to the person who started it, each with a stable code. Bad input from a
 * peer is not such an error: it is refused with a reason (see `http/refusal.ts`).
 */
export type ErrorCode =
  | "BUNLB_E_USAGE"
  | "BUNLB_E_CONFIG"
  | "BUNLB_E_PORT_IN_USE"
  | "BUNLB_E_PORT_PRIVILEGED"
  | "BUNLB_E_ADDRESS"
  | "BUNLB_E_LISTEN"
  | "BUNLB_E_CA_FILE"
  | "BUNLB_E_ACCESS_LOG"
  | "BUNLB_E_ADMIN_UNREACHABLE"
  | "BUNLB_E_UNHEALTHY"
  | "BUNLB_E_REFUSED"
  | "BUNLB_E_TRACK_FILE"
  | "BUNLB_E_RUNTIME"

/** Exit code 2: the person must change what was typed or written. 1: the world must change. */
const exitCodes: Record<ErrorCode, 1 | 2> = {
  BUNLB_E_USAGE: 2,
  BUNLB_E_CONFIG: 2,
  BUNLB_E_PORT_IN_USE: 1,
  BUNLB_E_PORT_PRIVILEGED: 1,
  BUNLB_E_ADDRESS: 1,
  BUNLB_E_LISTEN: 1,
  BUNLB_E_CA_FILE: 2,
  BUNLB_E_ACCESS_LOG: 2,
  BUNLB_E_ADMIN_UNREACHABLE: 1,
  BUNLB_E_UNHEALTHY: 1,
  BUNLB_E_REFUSED: 1,
  BUNLB_E_TRACK_FILE: 2,
  BUNLB_E_RUNTIME: 1,
}

/** `message` is one line: what happened, where, what to do. */
export class BunlbError extends Error {
  override readonly name = "BunlbError"
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string) {
    super(message)
    this.code = code
  }

  get exitCode(): 1 | 2 {
    return exitCodes[this.code]
  }
}
