/** Reads one value as the tests of value types want it: the value, or the complaints. */
import type { ValueType } from "../../src/config/schema/setting.ts"

export function reading<T>(type: ValueType<T>, input: unknown): T | string {
  const faults: string[] = []
  const value = type.read(
    input,
    (message, at = "") => void faults.push(`${at}${at && ": "}${message}`),
  )
  if (value === undefined && faults.length === 0) throw new Error("refused without a word")
  if (value !== undefined && faults.length > 0) throw new Error(`taken with a complaint: ${faults}`)
  return value === undefined ? faults.join("\n") : value
}
