/** What only the machine can tell of a configuration that is well written, found out before a worker finds out. */
import { hasBackend } from "../../config/no-backend.ts"
import { backend as backendType } from "../../config/schema/backend.ts"
import type { BackendSettings, Settings } from "../../config/schema/settings.ts"
import { absolutePath } from "../../config/start-folder.ts"
import { readAllAuthorities, type Authorities } from "../../net/tls/authorities.ts"
import { BunlbError } from "../../core/errors.ts"
import type { Log } from "../../core/log.ts"
import { Refused } from "./refused.ts"

/** The backend that `line` describes, as `--backend` takes it. Throws `Refused` when it describes none. */
export function readBackend(line: string): BackendSettings {
  const faults: string[] = []
  const backend = backendType.read(line, (fault) => void faults.push(fault))
  if (backend === undefined) throw new Refused("bad_backend", faults.join("; "))
  return backend.ca === null ? backend : { ...backend, ca: absolutePath(backend.ca) }
}

/** The CAs that `asked` needs, `effective` once laid over it. Throws `BunlbError` when nobody could serve by them. */
export function checkBackends(asked: Settings, effective: Settings): Authorities {
  if (!hasBackend(asked)) {
    throw new BunlbError("BUNLB_E_CONFIG", "config: no backend is left, name at least one")
  }
  return readAllAuthorities([...asked.pools, ...effective.pools])
}

/** The CAs of a backend that is added while it runs. Throws `BunlbError`, and the log says why, when there are none. */
export function checkCa(backend: BackendSettings, insecure: boolean, log: Log): Authorities {
  try {
    return readAllAuthorities([{ backends: [backend], insecure }])
  } catch (error) {
    log.warn(`backend ${backend.name}: ${error instanceof Error ? error.message : String(error)}`)
    throw error
  }
}
