/** What only the machine can tell of a configuration that is well written, found out before a worker finds out. */
import { backend as backendType } from "../config/backend.ts"
import type { BackendSettings, Settings } from "../config/settings.ts"
import { absolutePath } from "../config/start-folder.ts"
import { TlsClient, forgetCas } from "../net/tls-client.ts"
import { BunlbError } from "../observe/errors.ts"
import type { Log } from "../observe/log.ts"
import { Refused } from "./refused.ts"

/** The backend that `line` describes, as `--backend` takes it. Throws `Refused` when it describes none. */
export function readBackend(line: string): BackendSettings {
  const faults: string[] = []
  const backend = backendType.read(line, (fault) => void faults.push(fault))
  if (backend === undefined) throw new Refused("bad_backend", faults.join("; "))
  return backend.ca === null ? backend : { ...backend, ca: absolutePath(backend.ca) }
}

/** Throws `BunlbError` when nobody could serve by these settings. */
export function judgeBackends(asked: Settings): void {
  if (asked.backends.length === 0) {
    throw new BunlbError("BUNLB_E_CONFIG", "config: no backend is left, name at least one")
  }
  judgeCas(asked.backends, asked)
}

/** Throws `BunlbError` for a CA file that cannot be used. With `log`, the log says why. */
export function judgeCas(
  backends: readonly BackendSettings[],
  settings: Settings,
  log: Log | null = null,
): void {
  forgetCas()
  for (const { name, tls, host, ca } of backends) {
    if (!tls) continue
    try {
      new TlsClient(host, ca, settings)
    } catch (error) {
      log?.warn(`backend ${name}: ${error instanceof Error ? error.message : String(error)}`)
      throw error
    }
  }
}
