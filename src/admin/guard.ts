/**
 * Who may change something through the admin listener. On a loopback address everyone on this machine, unless a token
 * is set; elsewhere only who shows the token. A browser is no friend: a page of another site must not reach through it,
 * neither by a form (Origin) nor by a name that it has made point here (Host, DNS rebinding).
 */
import { timingSafeEqual } from "node:crypto"
import { isPrivateListener } from "../config/address.ts"

export interface Lock {
  /** Address that the listener is bound to. */
  readonly host: string
  readonly token: string | null
}

export interface Refusal {
  readonly status: number
  readonly code: string
  readonly message: string
}

/** Why the request may not change anything, or null when it may. */
export function guard(request: Request, { host, token }: Lock): Refusal | null {
  const forged = judgeBrowser(request, host)
  if (forged !== null) return forged
  if (token === null) {
    if (isPrivateListener(host)) return null
    const message = "the admin listener is not on a loopback address: set admin_token first"
    return { status: 403, code: "no_token", message }
  }
  const [scheme = "", shown = ""] = (request.headers.get("authorization") ?? "").split(" ")
  if (scheme.toLowerCase() === "bearer" && isSameSecret(shown, token)) return null
  return { status: 401, code: "unauthorized", message: "needs Authorization: Bearer ADMIN_TOKEN" }
}

function judgeBrowser({ headers }: Request, bound: string): Refusal | null {
  const host = headers.get("host") ?? ""
  const name = nameOf(host)
  // An address cannot be made to point elsewhere.
  const isOurs = name === "localhost" || name === bound || isPrivateListener(name)
  if (isPrivateListener(bound) && !isOurs) {
    return { status: 403, code: "bad_host", message: "Host names another machine" }
  }
  const origin = headers.get("origin")
  const site = headers.get("sec-fetch-site") ?? "none"
  const isHome = origin === null || origin === `http://${host}`
  if (isHome && (site === "none" || site === "same-origin")) return null
  return { status: 403, code: "bad_origin", message: "sent by a page of another site" }
}

/** Host without its port and brackets. */
function nameOf(host: string): string {
  return host
    .replace(/:\d+$/, "")
    .replace(/^\[(.*)\]$/, "$1")
    .toLowerCase()
}

/** Takes the same time wherever they differ. */
function isSameSecret(shown: string, secret: string): boolean {
  const digest = (text: string) => new Bun.CryptoHasher("sha256").update(text).digest()
  return timingSafeEqual(digest(shown), digest(secret))
}
