/** What is said when there is no backend at all. */
import { existsSync } from "node:fs"
import { BunlbError } from "../core/errors.ts"
import type { Settings } from "./schema/settings.ts"

/**
 * Named in an error and never read unasked: who starts bunlb in a folder of somebody else must not get that one's
 * settings.
 */
const FILE_NAMES = ["bunlb.yaml", "bunlb.yml", "bunlb.toml", "bunlb.json"]

export function hasBackend({ pools }: Settings): boolean {
  return pools.some(({ backends }) => backends.length > 0)
}

/** A file without backends is a fault of the file, a line without them one of the line. `command`: what was typed. */
export function noBackend(file: string | null, command = "bunlb"): BunlbError {
  if (file !== null) {
    const message = `config: ${file}: no backend, add one: backends: ["127.0.0.1:9001"]`
    return new BunlbError("BUNLB_E_CONFIG", message)
  }
  const here = FILE_NAMES.find((name) => existsSync(name))
  const message =
    here === undefined
      ? "no backend, name at least one: bunlb -b 127.0.0.1:9001 (or try: bunlb demo)"
      : `no backend: ${here} is here but was not named, write: ${command} -c ${here}`
  return new BunlbError("BUNLB_E_USAGE", message)
}
