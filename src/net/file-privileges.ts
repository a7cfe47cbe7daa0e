/**
 * Whether this process has rights that come from its executable file: file capabilities, or a set-user-ID bit. The file
 * holds the whole runtime, so whoever may start it has its rights for code of their own.
 *
 * The kernel says so in the auxiliary vector. Source: getauxval(3), AT_SECURE.
 */
import { readFileSync } from "node:fs"

const AT_SECURE = 23n

export function hasFilePrivileges(): boolean {
  try {
    return isSecure(readFileSync("/proc/self/auxv"))
  } catch {
    return false
  }
}

/** Pairs of a kind and a value, 64 bits each. */
export function isSecure(auxv: Buffer): boolean {
  for (let at = 0; at + 16 <= auxv.length; at += 16) {
    if (auxv.readBigUInt64LE(at) === AT_SECURE) return auxv.readBigUInt64LE(at + 8) !== 0n
  }
  return false
}
