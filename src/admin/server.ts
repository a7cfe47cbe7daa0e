/**
 * The admin listener: what the fleet says of itself, over HTTP, on an address of its own. It lives in the master,
 * off the data path, so `Bun.serve` is good enough here. What changes something is in control.ts.
 *
 *     GET /                the dashboard
 *     GET /metrics         Prometheus text, merged over all workers
 *     GET /health          200 `ok`, or 503 and why, one line
 *     GET /health/ready    200 while requests are taken, though none may find a backend
 *     GET /health/workers  as /health, and 503 too when the workers, asked whether they live, do not answer
 *     GET /api/v1/status   JSON, see fleet/status.ts
 *     GET /api/v1/live     JSON, the status with rates and latencies, see fleet/live.ts
 *     GET /api/v1/events   the same once a second, as server-sent events
 *     GET /api/v1/openapi.json   all of this and of control.ts, for programs
 */
import type { AdminAddress } from "../config/schema/admin-address.ts"
import type { Live, Past } from "../master/figures/live.ts"
import type { FleetStatus } from "../master/figures/status.ts"
import { PROMETHEUS_CONTENT_TYPE } from "../observe/prometheus.ts"
import { showDashboard } from "./dashboard.ts"
import { describeApi } from "./openapi.ts"
import { answerControl, type AdminControl } from "./control.ts"
import { judgeHost } from "./guard.ts"
import { jsonPieces } from "./json-pieces.ts"
import { targetOf } from "./target.ts"
import type { SharedPlace } from "../master/upgrade/handover.ts"
import { bindAdmin, type Bound } from "./listener.ts"
import { SharedAnswer, usual } from "./shared-answer.ts"
import { Viewers } from "./viewers.ts"

interface Health {
  readonly ok: boolean
  readonly reason: string
}

/** What the listener shows. */
export interface AdminSource {
  health(): Health
  /** Whether requests are taken. */
  ready(): Health
  /** As `health`, the workers asked first. */
  pulse(): Promise<Health>
  /** The text in pieces. */
  metrics(): Promise<readonly Uint8Array<ArrayBuffer>[]>
  status(): Promise<FleetStatus>
  live(): Promise<Live>
  past(): Past
  /** What changes something; absent where nothing can be changed. */
  readonly control?: AdminControl
}

export type AdminListener = Bound

/** What takes work, made once for all who ask at the same time. */
class Shared {
  readonly metrics: SharedAnswer<Blob>
  readonly status: SharedAnswer<Blob>
  readonly live: SharedAnswer<Blob>
  readonly pulse: SharedAnswer<Health>

  constructor(source: AdminSource) {
    this.metrics = new SharedAnswer(async () => new Blob([...(await source.metrics())]))
    this.status = new SharedAnswer(async () => new Blob(await jsonPieces(await source.status())))
    this.live = new SharedAnswer(async () => new Blob(await jsonPieces(await source.live())))
    // To turn a probe away would say that all is not well. The answer is short, and who waits is limited (crowd.ts).
    this.pulse = new SharedAnswer(() => source.pulse(), { ...usual, mostWaiting: Infinity })
  }
}

interface Shown {
  readonly source: AdminSource
  readonly viewers: Viewers
  readonly shared: Shared
}

type Page = (shown: Shown) => Response | Promise<Response>

const pages = new Map<string, Page>([
  ["/", showDashboard],
  ["/metrics", showMetrics],
  ["/health/ready", ({ source }) => showHealth(source.ready())],
  ["/health", ({ source }) => showHealth(source.health())],
  ["/health/workers", showPulse],
  ["/api/v1/status", showStatus],
  ["/api/v1/live", showLive],
  ["/api/v1/events", showEvents],
  ["/api/v1/openapi.json", showDescription],
])

const JSON_CONTENT_TYPE = "application/json;charset=utf-8"
const noStore = { "cache-control": "no-store" }
/** Throws `BunlbError` when the address cannot be bound. `shared`: a bunlb which leaves is still there. */
export async function startAdmin(
  address: AdminAddress,
  source: AdminSource,
  shared: SharedPlace | null = null,
): Promise<AdminListener> {
  const viewers = new Viewers(source)
  const shown = { source, viewers, shared: new Shared(source) }
  const { control } = source
  let retired = false
  const respond = async (request: Request): Promise<Response> => {
    const response =
      turnAway(request, address) ??
      (await ((control && answerControl(request, control, address)) ?? answer(request, shown)))
    if (retired) response.headers.set("connection", "close")
    return response
  }
  const fault = (): Response => refuse(500, "internal", "the figures could not be read")
  const bound = bindAdmin(address, respond, fault, shared)
  return {
    ...bound,
    retire: () => {
      retired = true
      viewers.stop()
      bound.retire()
    },
    stop: async () => {
      viewers.stop()
      await bound.stop()
    },
  }
}

/** Whether all is well is no secret, and probes ask under every name. */
function turnAway(request: Request, address: AdminAddress): Response | null {
  const target = targetOf(request)
  if (target === null) return refuse(400, "bad_host", "the Host field names no host")
  const refusal = judgeHost(request, address)
  if (refusal === null || target.pathname.startsWith("/health")) return null
  return refuse(refusal.status, refusal.code, refusal.message)
}

function answer(request: Request, shown: Shown): Response | Promise<Response> {
  const pathname = targetOf(request)?.pathname ?? ""
  const page = pages.get(pathname)
  if (page === undefined) {
    return refuse(404, "not_found", `nothing here; try ${[...pages.keys()].join(", ")}`)
  }
  if (request.method !== "GET" && request.method !== "HEAD") {
    const response = refuse(405, "method_not_allowed", `${pathname} takes GET and HEAD`)
    response.headers.set("allow", "GET, HEAD")
    return response
  }
  return page(shown)
}

function showMetrics({ shared }: Shown): Promise<Response> {
  return showShared(shared.metrics, PROMETHEUS_CONTENT_TYPE)
}

async function showPulse({ source, shared }: Shown): Promise<Response> {
  return showHealth(await (shared.pulse.ask() ?? source.pulse()))
}

function showHealth({ ok, reason }: Health): Response {
  const headers = { ...noStore, "content-type": "text/plain; charset=utf-8" }
  return new Response(`${reason}\n`, { status: ok ? 200 : 503, headers })
}

function showStatus({ shared }: Shown): Promise<Response> {
  return showShared(shared.status, JSON_CONTENT_TYPE)
}

async function showShared(answers: SharedAnswer<Blob>, type: string): Promise<Response> {
  const text = answers.ask()
  if (text === null) return tooMany()
  return new Response(await text, { headers: { ...noStore, "content-type": type } })
}

function tooMany(): Response {
  const response = refuse(503, "too_many_requests", "too many ask for this at once; come again")
  response.headers.set("retry-after", "1")
  return response
}

function showDescription(): Response {
  return Response.json(describeApi(), { headers: noStore })
}

function showLive({ shared }: Shown): Promise<Response> {
  return showShared(shared.live, JSON_CONTENT_TYPE)
}

function showEvents({ viewers }: Shown): Response {
  const stream = viewers.open()
  if (stream === null) return refuse(503, "too_many_viewers", "all places are taken; close a page")
  return new Response(stream, { headers: { ...noStore, "content-type": "text/event-stream" } })
}

function refuse(status: number, code: string, message: string): Response {
  return Response.json({ error: { code, message } }, { status, headers: noStore })
}
