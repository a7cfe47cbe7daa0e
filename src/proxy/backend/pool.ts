/**
 * One pool: backends that serve the same requests, and everything that decides between them. Its rotation, its health
 * verdicts, its retry budget and its sticky cookie are its own: a backend that two pools name is two backends.
 *
 * The worker makes pools and changes them by their settings; the data path reads them. A client's listener names the
 * pool of its requests.
 */
import { RetryBudget } from "../../balance/retry-budget.ts"
import type { Roster } from "../../balance/roster.ts"
import { FoundCookie, findCookie, setCookieField } from "../../balance/sticky-cookie.ts"
import { NO_TOKEN } from "../../balance/strategy.ts"
import { parseToken } from "../../balance/token.ts"
import type { PoolSettings, StickySettings } from "../../config/schema/settings.ts"
import type { HealthBoard } from "../../health/board.ts"
import type { Prober } from "../../health/prober.ts"
import type { CookieFilter } from "../../h1/request-writer.ts"
import { ascii } from "../../http/bytes.ts"
import type { FieldSection } from "../../http/field-section.ts"
import { COOKIE } from "../../http/fields.ts"
import { StickyCookieFilter } from "./cookie-filter.ts"
import type { Upstream } from "./upstream.ts"

const found = new FoundCookie()

export interface PoolParts {
  readonly roster: Roster
  readonly board: HealthBoard
  readonly prober: Prober
}

export class Pool {
  /** The settings in effect; replaced as a whole by `configure`. */
  settings: PoolSettings
  readonly roster: Roster
  readonly board: HealthBoard
  readonly prober: Prober
  readonly budget: RetryBudget
  /** By the index of their candidates. Filled by the membership of the pool. */
  readonly upstreams: Upstream[] = []
  /** Removes the sticky cookie from requests; null unless the strategy is sticky. */
  cookies: CookieFilter | null = null
  #sticky: StickySettings | null = null
  #cookieName: Uint8Array = new Uint8Array(0)

  constructor(settings: PoolSettings, { roster, board, prober }: PoolParts) {
    const { budgetPercent, budgetFloor } = settings.retries
    this.settings = settings
    this.roster = roster
    this.board = board
    this.prober = prober
    this.budget = new RetryBudget(budgetPercent, budgetFloor)
    this.#configureCookie(settings)
  }

  get name(): string {
    return this.settings.name
  }

  /** The backend at an index that the roster, the board or the prober has named: each of those has one. */
  at(index: number): Upstream {
    const upstream = this.upstreams[index]
    if (upstream === undefined) throw new Error(`pool ${this.name} has no backend at ${index}`)
    return upstream
  }

  /** Applies other settings. Open connections stay, with the time limits that already run. */
  configure(settings: PoolSettings): void {
    const { budgetPercent, budgetFloor } = settings.retries
    this.settings = settings
    this.board.configure(settings.health)
    this.budget.configure(budgetPercent, budgetFloor)
    this.#configureCookie(settings)
  }

  #configureCookie({ sticky, strategy }: PoolSettings): void {
    this.#sticky = strategy === "sticky" ? sticky : null
    this.#cookieName = ascii(sticky.cookie)
    this.cookies = this.#sticky === null ? null : new StickyCookieFilter(this.#cookieName)
  }

  /** The backend that the cookie in these request fields names, or `NO_TOKEN`. */
  tokenOf(bytes: Buffer, fields: FieldSection): number {
    if (this.#sticky === null) return NO_TOKEN
    const { known, knownCount, kinds, valueStarts, valueEnds } = fields
    for (let i = 0; i < knownCount; i++) {
      const at = known[i] ?? 0
      if (kinds[at] !== COOKIE) continue
      const start = valueStarts[at] ?? 0
      const end = valueEnds[at] ?? start
      if (!findCookie(bytes, start, end, this.#cookieName, found)) continue
      return parseToken(bytes, found.start, found.end)
    }
    return NO_TOKEN
  }

  /** The Set-Cookie line that ties a client to the backend of `token`, or null unless the strategy is sticky. */
  cookieLine(token: number, secure: boolean): Uint8Array | null {
    return this.#sticky === null ? null : setCookieField(this.#sticky, token, secure)
  }
}
