/** What only the machine can tell of a configuration that is well written, found out before a worker finds out. */
import type { BackendSettings, Settings } from "../config/settings.ts"
import { TlsClient, forgetCas } from "../net/tls-client.ts"
import { BunlbError } from "../observe/errors.ts"

/** Throws `BunlbError` when nobody could serve by these settings. */
export function judgeBackends(asked: Settings): void {
  if (asked.backends.length === 0) {
    throw new BunlbError("BUNLB_E_CONFIG", "config: no backend is left, name at least one")
  }
  judgeCas(asked.backends, asked)
}

/** Throws `BunlbError` for a CA file that cannot be used. */
export function judgeCas(backends: readonly BackendSettings[], { insecure }: Settings): void {
  forgetCas()
  for (const { tls, host, ca } of backends) if (tls) new TlsClient(host, ca, insecure)
}
