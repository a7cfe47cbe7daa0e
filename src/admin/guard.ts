/**
 * Who may change something through the admin listener. On a loopback address everyone on this machine, and on a unix
 * socket who may open it, unless a token is set; elsewhere only who shows the token. A browser is no friend: a page of
 * another site must not reach through it, neither by a form (Origin) nor by a name that it has made point here (Host,
 * DNS rebinding).
 */
import { timingSafeEqual } from "node:crypto"
import { isPrivateListener } from "../config/schema/address.ts"
import { isPrivateAdmin, type AdminAddress } from "../config/schema/admin-address.ts"
import type { AdminRequest } from "./http-request.ts"

export interface Lock {
  readonly address: AdminAddress
  readonly token: string | null
}

export interface Refusal {
  readonly status: number
  readonly code: string
  readonly message: string
}

/** Why the request may not change anything, or null when it may. */
export function guard(request: AdminRequest, { address, token }: Lock): Refusal | null {
  const forged = judgeBrowser(request, address)
  if (forged !== null) return forged
  if (token === null) {
    if (isPrivateAdmin(address)) return null
    const message = "the admin listener is not on a loopback address: set admin_token first"
    return { status: 403, code: "no_token", message }
  }
  const [scheme = "", shown = ""] = (request.headers.get("authorization") ?? "").split(" ")
  if (scheme.toLowerCase() === "bearer" && isSameSecret(shown, token)) return null
  const message =
    shown === ""
      ? "needs Authorization: Bearer ADMIN_TOKEN"
      : "the token is wrong: it is not the admin_token of this bunlb"
  return { status: 401, code: "unauthorized", message }
}

/**
 * Why a request for a listener of this machine alone comes in another's name, or null: a page of another site would
 * read here what is only for this machine.
 */
export function judgeHost({ headers }: AdminRequest, address: AdminAddress): Refusal | null {
  // No name can be made to point to a socket.
  if ("path" in address || !isPrivateListener(address.host)) return null
  if (isOurs(nameOf(headers.get("host") ?? ""), address.host)) return null
  const message = "Host names another machine: ask by address, or by localhost"
  return { status: 403, code: "bad_host", message }
}

function judgeBrowser(request: AdminRequest, address: AdminAddress): Refusal | null {
  const foreign = judgeHost(request, address)
  if (foreign !== null) return foreign
  const { headers } = request
  const host = headers.get("host") ?? ""
  const origin = headers.get("origin")
  const site = headers.get("sec-fetch-site") ?? "none"
  const isHome = origin === null || origin === `http://${host}`
  if (isHome && (site === "none" || site === "same-origin")) return null
  return { status: 403, code: "bad_origin", message: "sent by a page of another site" }
}

/** An address cannot be made to point elsewhere. */
function isOurs(name: string, bound: string): boolean {
  return name === "localhost" || name === bound || isPrivateListener(name)
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
