/**
 * The part of the admin API that changes something, or says what would happen. Everything is POST with a JSON object
 * or nothing as its body, and answers JSON: the outcome (see fleet/steering.ts), or `{ error: { code, message } }`.
 *
 *     POST /api/v1/reload                   { "dry_run": true }: only what would change
 *     POST /api/v1/upgrade                  the program now on disk takes over
 *     POST /api/v1/backends                 { "backend": "10.0.0.1:80,weight=2" }: adds one; `pool` names its pool
 *     POST /api/v1/backends/NAME/drain      { "grace": 30000 }: milliseconds for holders of its cookie
 *     POST /api/v1/backends/NAME/enable     back to work
 *     POST /api/v1/backends/NAME/disable    at once, and without probes
 *     POST /api/v1/backends/NAME/weight     { "weight": 3 }
 *     POST /api/v1/backends/NAME/remove     NAME is HOST:PORT (in all pools) or POOL/HOST:PORT
 *                                           { "save": true } in these: into the configuration file as well
 *     GET  /api/v1/explain?cookie=VALUE     who would get a request; `host`, `path`, `listener` and
 *                                           `pool` are taken too
 */
import type { AdminAddress } from "../config/schema/admin-address.ts"
import { weight } from "../config/schema/backend.ts"
import type { ValueType } from "../config/schema/setting.ts"
import { integer } from "../config/schema/value-types.ts"
import { BunlbError } from "../core/errors.ts"
import { questionTypes, type Explanation, type Question } from "../master/control/explain.ts"
import type { Outcome } from "../master/control/outcome.ts"
import { Refused } from "../master/control/refused.ts"
import type { FleetStatus } from "../master/figures/status.ts"
import { guard, type Lock } from "./guard.ts"
import { answerJson, refuse, tooMany, type Answer } from "./http-answer.ts"
import type { AdminRequest } from "./http-request.ts"
import type { SharedAnswer } from "./shared-answer.ts"
import { targetOf } from "./target.ts"

/** What can be asked for. */
export interface AdminControl {
  readonly token: string | null
  reload(dry: boolean): Promise<Outcome>
  upgrade(): Promise<Outcome>
  /** `save`: keeps it in the configuration file. */
  drain(name: string, graceMs: number, save: boolean): Promise<Outcome>
  enable(name: string, save: boolean): Promise<Outcome>
  disable(name: string, save: boolean): Promise<Outcome>
  setWeight(name: string, weight: number, save: boolean): Promise<Outcome>
  /** `pool`: null for the one that the line names, or the default one. */
  add(line: string, save: boolean, pool: string | null): Promise<Outcome>
  remove(name: string, save: boolean): Promise<Outcome>
  explain(question: Question, status: FleetStatus): Explanation | Promise<Explanation>
}

/** Who changes and explains, and the figures that explanations are told from. */
export interface Answerers {
  readonly control: AdminControl
  readonly figures: SharedAnswer<FleetStatus>
}

type Body = Readonly<Record<string, unknown>>
type Action = (control: AdminControl, name: string, body: Body) => Promise<Outcome>

/** Of a backend with all its options there is no need for more. */
const MOST_BODY = 16 * 1024
/** Milliseconds, a day at most. */
const grace = integer(0, 24 * 3_600_000)

const actions: Readonly<Record<string, Action>> = {
  drain: (control, name, body) =>
    control.drain(name, read(grace, body["grace"] ?? 0), isSaved(body)),
  enable: (control, name, body) => control.enable(name, isSaved(body)),
  disable: (control, name, body) => control.disable(name, isSaved(body)),
  remove: (control, name, body) => control.remove(name, isSaved(body)),
  weight: (control, name, body) =>
    control.setWeight(name, read(weight, body["weight"]), isSaved(body)),
}

/** The answer, or null when the path is none of these. */
export function answerControl(
  request: AdminRequest,
  { control, figures }: Answerers,
  address: AdminAddress,
): Promise<Answer> | null {
  const url = targetOf(request)
  if (url === null) return null
  if (url.pathname === "/api/v1/explain") return explained(request, { control, figures }, url)
  const work = workFor(url.pathname)
  return work === null ? null : perform(request, control, { address, token: control.token }, work)
}

type Work = (control: AdminControl, body: Body) => Promise<Outcome>

function workFor(path: string): Work | null {
  if (path === "/api/v1/reload") return (control, body) => control.reload(body["dry_run"] === true)
  if (path === "/api/v1/upgrade") return (control) => control.upgrade()
  if (path === "/api/v1/backends") {
    return (control, body) => control.add(textOf(body["backend"]), isSaved(body), poolIn(body))
  }
  const [, encoded, verb = ""] = /^\/api\/v1\/backends\/(.+)\/([a-z]+)$/.exec(path) ?? []
  const action = Object.hasOwn(actions, verb) ? actions[verb] : undefined
  if (encoded === undefined || action === undefined) return null
  return (control, body) => action(control, decoded(encoded), body)
}

async function perform(
  request: AdminRequest,
  control: AdminControl,
  lock: Lock,
  work: Work,
): Promise<Answer> {
  if (request.method !== "POST") {
    return refuse(405, "method_not_allowed", "takes POST", { allow: "POST" })
  }
  const refusal = guard(request, lock)
  if (refusal !== null) return refuse(refusal.status, refusal.code, refusal.message)
  try {
    return answerJson(await work(control, await readBody(request)))
  } catch (error) {
    return answerFault(error, control.token !== null || "path" in lock.address)
  }
}

async function explained(
  request: AdminRequest,
  { control, figures }: Answerers,
  url: URL,
): Promise<Answer> {
  if (request.method !== "GET" && request.method !== "HEAD") {
    return refuse(405, "method_not_allowed", "takes GET and HEAD", { allow: "GET, HEAD" })
  }
  try {
    const question = questionOf(url.searchParams)
    const status = figures.ask()
    return status === null ? tooMany() : answerJson(await control.explain(question, await status))
  } catch (error) {
    return answerFault(error, false)
  }
}

function questionOf(query: URLSearchParams): Question {
  const faults: string[] = []
  const read = (name: keyof Question): string | null =>
    questionTypes[name].read(query.get(name), (fault) => void faults.push(`${name}: ${fault}`)) ??
    null
  const question = {
    ...{ cookie: read("cookie"), host: read("host"), path: read("path") },
    ...{ listener: read("listener"), pool: read("pool") },
  }
  if (faults.length > 0) throw new Refused("bad_value", faults.join("; "))
  return question
}

async function readBody(request: AdminRequest): Promise<Body> {
  const text = await request.text()
  if (text.length > MOST_BODY) {
    throw new Refused("too_large", `the body has more than ${MOST_BODY} characters`)
  }
  if (text === "") return {}
  try {
    const body: unknown = JSON.parse(text)
    if (body !== null && typeof body === "object" && !Array.isArray(body)) return body as Body
  } catch {
    // Said below.
  }
  throw new Refused("bad_body", "the body must be a JSON object, or empty")
}

function textOf(backend: unknown): string {
  if (typeof backend === "string") return backend
  throw new Refused("bad_value", 'backend must be a string such as "10.0.0.1:80,weight=2"')
}

function poolIn({ pool = null }: Body): string | null {
  if (pool === null || typeof pool === "string") return pool
  throw new Refused("bad_value", "pool must be the name of a pool")
}

function isSaved({ save = false }: Body): boolean {
  if (typeof save === "boolean") return save
  throw new Refused("bad_value", "save must be true or false")
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name).toLowerCase()
  } catch {
    return name
  }
}

function read(type: ValueType<number>, input: unknown): number {
  const faults: string[] = []
  const value = type.read(input, (fault) => void faults.push(fault))
  if (value === undefined) throw new Refused("bad_value", faults.join("; "))
  return value
}

const statuses: Readonly<Record<string, number>> = {
  unknown_backend: 404,
  unknown_pool: 404,
  unknown_listener: 404,
  exists: 409,
  too_large: 413,
  last: 409,
  not_saved: 409,
  not_in_file: 409,
  too_many: 409,
  not_applied: 500,
  no_upgrade: 409,
  ending: 409,
  upgrading: 409,
  succeeded: 409,
  not_upgraded: 500,
}

/** `isTrusted`: the asker has shown the token, or may open the socket. Others must not learn what files there are. */
function answerFault(error: unknown, isTrusted: boolean): Answer {
  if (error instanceof Refused)
    return refuse(statuses[error.code] ?? 400, error.code, error.message)
  if (error instanceof BunlbError && error.exitCode === 1) {
    return refuse(409, "not_possible", error.message)
  }
  if (error instanceof BunlbError && error.code === "BUNLB_E_CA_FILE" && !isTrusted) {
    return refuse(422, "config", "the CA file cannot be used; the log says why")
  }
  // Its lines name places in files that whoever may reload may also read.
  if (error instanceof BunlbError) return refuse(422, "config", error.message)
  return refuse(500, "internal", "it could not be done; see the log")
}
