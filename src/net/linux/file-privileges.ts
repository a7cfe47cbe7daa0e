/**
 * Whether this process has rights that come from its executable file: file capabilities, or a set-user-ID or
 * set-group-ID bit. The file holds the whole runtime, so whoever may start it has its rights for code of their own.
 *
 * Read from /proc/self/status, which such a process may read; /proc/self/auxv, where AT_SECURE says the same, it may
 * not. Source: capabilities(7): after execve(2) a process of an ordinary user has only the ambient capabilities and
 * those of the file.
 */
import { readFileSync } from "node:fs"

export function hasFilePrivileges(): boolean {
  try {
    return tellsOfFilePrivileges(readFileSync("/proc/self/status", "latin1"))
  } catch {
    return false
  }
}

/** `status`: what /proc/PID/status holds. */
export function tellsOfFilePrivileges(status: string): boolean {
  const [user = "", actingUser = ""] = wordsOf(status, "Uid")
  const [group = "", actingGroup = ""] = wordsOf(status, "Gid")
  if (user !== actingUser || group !== actingGroup) return true
  if (user === "0") return false
  const [permitted = "0"] = wordsOf(status, "CapPrm")
  const [ambient = "0"] = wordsOf(status, "CapAmb")
  return (BigInt(`0x${permitted}`) & ~BigInt(`0x${ambient}`)) !== 0n
}

function wordsOf(status: string, name: string): readonly string[] {
  return new RegExp(`^${name}:\\s+(.*)$`, "m").exec(status)?.[1]?.split(/\s+/) ?? []
}
