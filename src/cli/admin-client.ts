/** Asks the admin listener of a running bunlb, and tells it what to do. */
import { adminAddress, formatHostPort } from "../config/address.ts"
import { schema } from "../config/schema.ts"
import type { Settings } from "../config/settings.ts"
import { BunlbError } from "../observe/errors.ts"
import { usageError, type Option } from "./flags.ts"

type Address = Settings["admin"]

/** A listener that does not answer in this time is as good as none. */
const LIMIT_MS = 3_000
/** A change is answered when every worker obeys, new names resolved. */
const CHANGE_LIMIT_MS = 15_000

const fallback: Address = { host: "127.0.0.1", port: 9900 }

export const adminOption: Option<Address> = {
  name: "admin",
  type: { ...schema.admin.type, placeholder: "HOST:PORT" },
  group: "Flags",
  help: "The admin listener to ask",
  default: fallback,
  defaultText: adminAddress.format(fallback),
}

export interface AdminAnswer {
  readonly status: number
  readonly body: string
}

export const tokenOption: Option<string | null> = {
  name: "admin-token",
  type: schema.admin_token.type,
  group: "Flags",
  help: "What the listener asks for; in the environment as BUNLB_ADMIN_TOKEN nobody sees it",
  default: null,
  defaultText: "none",
}

/**
 * Throws `BunlbError` when nothing answers there. `post`: a JSON body to send.
 */
export async function askAdmin(
  address: Address,
  path: string,
  post?: { readonly body: object; readonly token: string | null },
): Promise<AdminAnswer> {
  if (address === null) throw usageError("--admin: expected HOST:PORT, got off")
  const { host, port } = address
  // A listener on all addresses is asked on the loopback one.
  const reachable = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host
  const place = formatHostPort(reachable, port)
  // fetch would send even this through a proxy named in the environment.
  process.env.NO_PROXY = "*"
  try {
    const signal = AbortSignal.timeout(post === undefined ? LIMIT_MS : CHANGE_LIMIT_MS)
    const authorization = post?.token ? { authorization: `Bearer ${post.token}` } : {}
    const response = await fetch(`http://${place}${path}`, {
      signal,
      redirect: "manual",
      ...(post && { method: "POST", body: JSON.stringify(post.body), headers: authorization }),
    })
    return { status: response.status, body: await response.text() }
  } catch (error) {
    const late = error instanceof Error && error.name === "TimeoutError"
    const limitMs = post === undefined ? LIMIT_MS : CHANGE_LIMIT_MS
    const fault = late ? `does not answer within ${limitMs / 1000} s` : "does not answer"
    const advice = "is bunlb running, and with this --admin?"
    throw new BunlbError("BUNLB_E_ADMIN_UNREACHABLE", `admin ${place} ${fault}: ${advice}`)
  }
}
