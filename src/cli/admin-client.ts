/** Asks the admin listener of a running bunlb, for `health` and `status`. */
import { adminAddress, formatHostPort } from "../config/address.ts"
import { schema } from "../config/schema.ts"
import type { Settings } from "../config/settings.ts"
import { BunlbError } from "../observe/errors.ts"
import { usageError, type Option } from "./flags.ts"

type Address = Settings["admin"]

/** A listener that does not answer in this time is as good as none. */
const LIMIT_MS = 3_000

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

/** Throws `BunlbError` when nothing answers there. */
export async function askAdmin(address: Address, path: string): Promise<AdminAnswer> {
  if (address === null) throw usageError("--admin: expected HOST:PORT, got off")
  const { host, port } = address
  // A listener on all addresses is asked on the loopback one.
  const reachable = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host
  const place = formatHostPort(reachable, port)
  // fetch would send even this through a proxy named in the environment.
  process.env.NO_PROXY = "*"
  try {
    const signal = AbortSignal.timeout(LIMIT_MS)
    const response = await fetch(`http://${place}${path}`, { signal, redirect: "manual" })
    return { status: response.status, body: await response.text() }
  } catch (error) {
    const late = error instanceof Error && error.name === "TimeoutError"
    const fault = late ? `does not answer within ${LIMIT_MS / 1000} s` : "does not answer"
    const advice = "is bunlb running, and with this --admin?"
    throw new BunlbError("BUNLB_E_ADMIN_UNREACHABLE", `admin ${place} ${fault}: ${advice}`)
  }
}
