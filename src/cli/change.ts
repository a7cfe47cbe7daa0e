/** What the commands that change a running bunlb share: ask for it, show what was done, say where it is not kept. */
import { boolean } from "../config/schema/value-types.ts"
import type { Settings } from "../config/schema/settings.ts"
import type { Outcome } from "../master/control/outcome.ts"
import { BunlbError } from "../core/errors.ts"
import { jsonOption, printJson } from "./json.ts"
import { adminOption, askAdmin, tokenOption } from "./admin-client.ts"
import { readOptions, type Option, type OptionsOf, type Typed } from "./flags.ts"
import type { Terminal } from "./terminal.ts"

interface ChangeOptions {
  readonly admin: Settings["admin"]
  readonly token: string | null
  readonly json: boolean
}

const options: OptionsOf<ChangeOptions> = {
  admin: adminOption,
  token: tokenOption,
  json: jsonOption,
}

const saveOption: Option<boolean> = {
  name: "save",
  type: boolean,
  group: "Flags",
  help: "Write it into the configuration file of that bunlb as well",
  default: false,
  defaultText: "false",
}

const NOT_KEPT = "not kept: a restart begins with the configuration again; --save writes it there"

/** Every such command has these. */
export const changeFlags = Object.values(options)

/** Those of one backend have these. */
export const backendFlags = [...changeFlags, saveOption]

/** Throws `BunlbError` with the reason when bunlb refuses. Where another took over meanwhile, that one is asked. */
export async function askForChange(
  typed: Typed,
  terminal: Terminal,
  path: string,
  body: object = {},
): Promise<Outcome> {
  const { admin, token } = readOptions(typed, options)
  const shown = token ?? (terminal.environment["BUNLB_ADMIN_TOKEN"] || null)
  const post = { body, token: shown }
  for (let again = true; ; again = false) {
    const { status, body: text } = await askAdmin(admin, path, post)
    const read = parsed(text)
    if (status === 200 && "changes" in read) return read as unknown as Outcome
    if (!again || codeOf(read) !== "succeeded") throw refusalOf(status, read, token, shown)
  }
}

function codeOf({ error }: Readonly<Record<string, unknown>>): unknown {
  return error !== null && typeof error === "object" && "code" in error ? error.code : undefined
}

/** `/api/v1/backends/NAME/VERB`. */
export function backendPath(name: string, verb: string): string {
  return `/api/v1/backends/${encodeURIComponent(name)}/${verb}`
}

/** Whether the answer is for a program. */
export function wantsJson(typed: Typed): boolean {
  return readOptions(typed, options).json
}

/** One change of a backend: the path, and what is said in the body. */
export interface ByHand {
  readonly path: string
  readonly body?: object
}

/**
 * Changes of backends by hand, one after the other, shown. What is refused does not keep the others from being made:
 * all refusals are told together at the end.
 */
export async function changeByHand(
  typed: Typed,
  terminal: Terminal,
  wanted: readonly ByHand[],
): Promise<number> {
  const { save } = readOptions(typed, { save: saveOption })
  const json = wantsJson(typed)
  const outcomes: Outcome[] = []
  const refusals: BunlbError[] = []
  for (const { path, body = {} } of wanted) {
    try {
      const outcome = await askForChange(typed, terminal, path, { ...body, save })
      outcomes.push(outcome)
      if (!json) for (const line of outcome.changes) terminal.out(line)
    } catch (error) {
      if (!(error instanceof BunlbError)) throw error
      refusals.push(error)
    }
  }
  const last = outcomes.at(-1)
  if (json && last !== undefined) {
    printJson(terminal, { ...last, changes: outcomes.flatMap(({ changes }) => changes) })
  } else if (last !== undefined) {
    terminal.out(last.saved === undefined ? NOT_KEPT : `saved in ${last.saved}`)
  }
  const [first] = refusals
  if (first === undefined) return 0
  // One who cannot be reached is not reached for the others either.
  throw new BunlbError(first.code, [...new Set(refusals.map(({ message }) => message))].join("\n"))
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    const read: unknown = JSON.parse(text)
    return read !== null && typeof read === "object" ? { ...read } : {}
  } catch {
    return {}
  }
}

function refusalOf(
  status: number,
  { error }: Readonly<Record<string, unknown>>,
  typed: string | null,
  shown: string | null,
): BunlbError {
  if (status === 401 && shown !== null) {
    const source = typed === null ? "BUNLB_ADMIN_TOKEN" : "--admin-token"
    const message = `the token of ${source} is wrong: it is not the admin_token of that bunlb`
    return new BunlbError("BUNLB_E_REFUSED", message)
  }
  if (status === 401) {
    const message =
      "the admin listener takes changes only with its token: --admin-token TOKEN, or set"
    return new BunlbError("BUNLB_E_REFUSED", `${message} BUNLB_ADMIN_TOKEN`)
  }
  const said = error !== null && typeof error === "object" ? { ...error } : {}
  if ("message" in said && typeof said.message === "string") {
    const isConfig = codeOf({ error }) === "config"
    return new BunlbError(isConfig ? "BUNLB_E_CONFIG" : "BUNLB_E_REFUSED", said.message)
  }
  const message = `the admin address answered ${status} and no outcome: is it bunlb's?`
  return new BunlbError("BUNLB_E_ADMIN_UNREACHABLE", message)
}
