/** Asks the admin listener of a running bunlb, and tells it what to do. */
import { accessSync, constants } from "node:fs"
import { formatHostPort } from "../config/schema/address.ts"
import { adminAddress, formatAdmin, type AdminAddress } from "../config/schema/admin-address.ts"
import { schema } from "../config/schema/schema.ts"
import type { Settings } from "../config/schema/settings.ts"
import { BunlbError } from "../core/errors.ts"
import { usageError, type Option } from "./flags.ts"

type Address = Settings["admin"]

/** A listener that does not answer in this time is as good as none. */
const LIMIT_MS = 3_000
/** A change is answered when every worker obeys, new names resolved; before that it may wait for an upgrade to fail. */
const CHANGE_LIMIT_MS = 60_000

const usual: Address = { host: "127.0.0.1", port: 9900 }

/** Where bunlb itself listens when it has the same environment, as it has in a container. */
const fallback = addressOf(process.env["BUNLB_ADMIN"])

export const adminOption: Option<Address> = {
  name: "admin",
  type: { ...schema.admin.type, placeholder: "HOST:PORT|unix:/PATH" },
  group: "Flags",
  help: "Admin listener, or set BUNLB_ADMIN",
  default: fallback,
  defaultText: adminAddress.format(usual),
}

/** What makes no sense is for bunlb itself to complain of. */
function addressOf(variable: string = ""): Address {
  if (variable.trim() === "") return usual
  let sound = true
  const address = schema.admin.type.read(variable.trim(), () => {
    sound = false
    return undefined
  })
  return sound && address !== undefined ? address : usual
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

export interface AdminPost {
  readonly body: object
  readonly token: string | null
}

/**
 * Throws `BunlbError` when nothing answers there. `post`: a JSON body to send.
 */
export async function askAdmin(
  address: Address,
  path: string,
  post?: AdminPost,
): Promise<AdminAnswer> {
  if (address === null) throw usageError("--admin: expected HOST:PORT or unix:/PATH, got off")
  const { place, url, how } = reach(address)
  const limitMs = post === undefined ? LIMIT_MS : CHANGE_LIMIT_MS
  // fetch would send even this through a proxy named in the environment.
  process.env.NO_PROXY = "*"
  try {
    const signal = AbortSignal.timeout(limitMs)
    const authorization = post?.token ? { authorization: `Bearer ${post.token}` } : {}
    const response = await fetch(url + path, {
      ...how,
      signal,
      redirect: "manual",
      // Asked again, it may be another bunlb that answers.
      keepalive: false,
      ...(post && { method: "POST", body: JSON.stringify(post.body), headers: authorization }),
    })
    return { status: response.status, body: await response.text() }
  } catch (error) {
    const late = error instanceof Error && error.name === "TimeoutError"
    const fault = late ? `does not answer within ${limitMs / 1000} s` : "does not answer"
    const advice = mayOpen(address)
      ? "is bunlb running, and with this --admin?"
      : "only the user who runs bunlb may open its socket"
    throw new BunlbError("BUNLB_E_ADMIN_UNREACHABLE", `admin ${place} ${fault}: ${advice}`)
  }
}

/** What people call it, and what `fetch` needs to get there. */
function reach(address: AdminAddress) {
  if ("path" in address) {
    return { place: formatAdmin(address), url: "http://localhost", how: { unix: address.path } }
  }
  const { host, port } = address
  // A listener on all addresses is asked on the loopback one.
  const reachable = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host
  const place = formatHostPort(reachable, port)
  return { place, url: `http://${place}`, how: {} }
}

/** False for a socket that is there for others; `fetch` does not tell. */
function mayOpen(address: AdminAddress): boolean {
  if (!("path" in address)) return true
  try {
    accessSync(address.path, constants.W_OK)
    return true
  } catch (error) {
    return !(error instanceof Error && "code" in error && error.code === "EACCES")
  }
}
