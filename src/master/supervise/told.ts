/**
 * What the present worker of a slot has been told: the settings, and which CA certificates. Only what is new to it is
 * sent.
 */
import type { Settings } from "../../config/schema/settings.ts"
import { changeOf, type SettingsChange } from "../../config/settings-change.ts"
import { authoritiesInEffect, type Authorities } from "../../net/tls/authorities.ts"
import type { NewAuthorities } from "./protocol.ts"

export class Told {
  #settings: Settings | null = null
  #authorities: Authorities = new Map()

  /** For a worker that knows nothing yet. */
  everything(settings: Settings) {
    this.#settings = settings
    this.#authorities = new Map()
    return { settings, authorities: this.#newAuthorities() }
  }

  /** For one that has been told everything before. */
  news(settings: Settings) {
    const before = this.#settings ?? settings
    this.#settings = settings
    return { change: sharedChange(before, settings), authorities: this.#newAuthorities() }
  }

  #newAuthorities(): NewAuthorities {
    const before = this.#authorities
    this.#authorities = authoritiesInEffect()
    const fresh = [...this.#authorities].filter(([path, { pem }]) => before.get(path)?.pem !== pem)
    return fresh.map(([path, { pem }]) => [path, pem])
  }
}

/** The last change to some settings: most often all workers are told the same one. */
const changes = new WeakMap<
  Settings,
  { readonly before: Settings; readonly change: SettingsChange }
>()

function sharedChange(before: Settings, after: Settings): SettingsChange {
  const known = changes.get(after)
  if (known?.before === before) return known.change
  const change = changeOf(before, after)
  changes.set(after, { before, change })
  return change
}
