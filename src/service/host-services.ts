/**
 * What lives beside the workers and follows the settings too: the admin listener, and what the program above cares for
 * (its log, the file that it watches). As with the workers, what may fail is tried before anything changes.
 */
import { startAdmin, type AdminListener } from "../admin/server.ts"
import type { SharedPlace } from "../master/upgrade/handover.ts"
import type { HostServices, Preparation } from "../master/control/host-services.ts"
import type { Settings } from "../config/schema/settings.ts"
import type { Fleet } from "../master/fleet.ts"

/** What an old admin listener has for its last answers. */
const FAREWELL_MS = 2_000

export class AdminAndProgram implements HostServices {
  #fleet: Fleet | null = null
  #admin: AdminListener | null = null
  #address: Settings["admin"] = null
  readonly #adopt: (settings: Settings) => void

  /** `adopt` hears of all settings that come into force. */
  constructor(adopt: (settings: Settings) => void) {
    this.#adopt = adopt
  }

  /** The port that is really bound; null when there is none. */
  get adminPort(): number | null {
    return this.#admin?.port ?? null
  }

  /** Throws `BunlbError` when the address cannot be bound; `shared` as `startAdmin` takes it. */
  async open(fleet: Fleet, address: Settings["admin"], shared: SharedPlace | null): Promise<void> {
    this.#fleet = fleet
    this.#address = address
    this.#admin = address && (await startAdmin(address, fleet, shared))
  }

  /** Throws `BunlbError`, with nothing changed, when the admin listener cannot be where it should. */
  async prepare(settings: Settings): Promise<Preparation> {
    const address = settings.admin
    if (JSON.stringify(address) === JSON.stringify(this.#address)) {
      return { commit: () => this.#adopt(settings), cancel: async () => {} }
    }
    const port = address !== null && "port" in address ? address.port : null
    const shared = port !== null && port === this.adminPort ? { port } : null
    const fleet = this.#fleet
    const next = address && fleet && (await startAdmin(address, fleet, shared))
    return {
      commit: () => {
        const old = this.#admin
        this.#admin = next
        this.#address = address
        if (shared === null) old?.retire()
        setTimeout(() => void old?.stop(), FAREWELL_MS)
        this.#adopt(settings)
      },
      cancel: async () => await next?.stop(),
    }
  }

  retire(): void {
    this.#admin?.retire()
  }

  reclaim(): void {
    this.#admin?.reclaim()
  }

  async stop(): Promise<void> {
    await this.#admin?.stop()
  }
}
