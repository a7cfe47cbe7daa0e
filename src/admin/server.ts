/**
 * The admin listener: what the fleet says of itself, over HTTP, on an address of its own. It lives in the master,
 * off the data path. What carries the requests is in http-server.ts, what changes something in control.ts.
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
import { answerControl, type AdminControl } from "./control.ts"
import { showDashboard } from "./dashboard.ts"
import { judgeHost } from "./guard.ts"
import {
  answerJson,
  answerText,
  JSON_CONTENT_TYPE,
  noStore,
  refuse,
  tooMany,
  type Answer,
} from "./http-answer.ts"
import type { AdminRequest } from "./http-request.ts"
import { connectionLimit } from "./http-server.ts"
import { jsonPieces } from "./json-pieces.ts"
import type { SharedPlace } from "../master/upgrade/handover.ts"
import { bindAdmin, type Bound } from "./listener.ts"
import { describeApi } from "./openapi.ts"
import { SharedAnswer } from "./shared-answer.ts"
import { targetOf } from "./target.ts"
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

type Pieces = readonly Uint8Array[]

/** What takes work, made once for all who ask at the same time. */
class Shared {
  readonly metrics: SharedAnswer<Pieces>
  readonly status: SharedAnswer<Pieces>
  readonly live: SharedAnswer<Pieces>
  readonly pulse: SharedAnswer<Health>
  /** For questions of which each has an answer of its own. */
  readonly figures: SharedAnswer<FleetStatus>

  constructor(source: AdminSource) {
    // Together they leave an eighth of the connections for other questions.
    const few = { mostWaiting: Math.ceil(connectionLimit() / 8) }
    const many = { mostWaiting: Math.ceil(connectionLimit() / 2) }
    this.metrics = new SharedAnswer(() => source.metrics(), few)
    this.status = new SharedAnswer(async () => await jsonPieces(await source.status()), few)
    this.live = new SharedAnswer(async () => await jsonPieces(await source.live()), few)
    this.figures = new SharedAnswer(() => source.status(), many)
    // A probe that is turned away would report a fault. The answer is short, and connections are limited.
    this.pulse = new SharedAnswer(() => source.pulse())
  }
}

interface Shown {
  readonly source: AdminSource
  readonly viewers: Viewers
  readonly shared: Shared
}

type Page = (shown: Shown) => Answer | Promise<Answer>

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

/** Throws `BunlbError` when the address cannot be bound. `shared`: a bunlb which leaves is still there. */
export async function startAdmin(
  address: AdminAddress,
  source: AdminSource,
  shared: SharedPlace | null = null,
): Promise<AdminListener> {
  const viewers = new Viewers(source)
  const shown = { source, viewers, shared: new Shared(source) }
  const respond = async (request: AdminRequest): Promise<Answer> => {
    try {
      return turnAway(request, address) ?? (await (change(request) ?? answer(request, shown)))
    } catch {
      return refuse(500, "internal", "the figures could not be read")
    }
  }
  const { control } = source
  const change = (request: AdminRequest): Promise<Answer> | null =>
    control === undefined
      ? null
      : answerControl(request, { control, figures: shown.shared.figures }, address)
  const bound = bindAdmin(address, respond, shared)
  return {
    ...bound,
    retire: () => {
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
function turnAway(request: AdminRequest, address: AdminAddress): Answer | null {
  const target = targetOf(request)
  if (target === null) return refuse(400, "bad_host", "the Host field names no host")
  const refusal = judgeHost(request, address)
  if (refusal === null || target.pathname.startsWith("/health")) return null
  return refuse(refusal.status, refusal.code, refusal.message)
}

function answer(request: AdminRequest, shown: Shown): Answer | Promise<Answer> {
  const pathname = targetOf(request)?.pathname ?? ""
  const page = pages.get(pathname)
  if (page === undefined) {
    return refuse(404, "not_found", `nothing here; try ${[...pages.keys()].join(", ")}`)
  }
  if (request.method !== "GET" && request.method !== "HEAD") {
    const message = `${pathname} takes GET and HEAD`
    return refuse(405, "method_not_allowed", message, { allow: "GET, HEAD" })
  }
  return page(shown)
}

function showMetrics({ shared }: Shown): Promise<Answer> {
  return showShared(shared.metrics, PROMETHEUS_CONTENT_TYPE)
}

async function showPulse({ source, shared }: Shown): Promise<Answer> {
  return showHealth(await (shared.pulse.ask() ?? source.pulse()))
}

function showHealth({ ok, reason }: Health): Answer {
  return answerText(ok ? 200 : 503, "text/plain; charset=utf-8", `${reason}\n`, noStore)
}

function showStatus({ shared }: Shown): Promise<Answer> {
  return showShared(shared.status, JSON_CONTENT_TYPE)
}

async function showShared(answers: SharedAnswer<Pieces>, type: string): Promise<Answer> {
  const pieces = answers.ask()
  if (pieces === null) return tooMany()
  return { status: 200, headers: { ...noStore, "content-type": type }, body: await pieces }
}

function showDescription(): Answer {
  return answerJson(describeApi())
}

function showLive({ shared }: Shown): Promise<Answer> {
  return showShared(shared.live, JSON_CONTENT_TYPE)
}

function showEvents({ viewers }: Shown): Answer {
  const body = viewers.open()
  if (body === null) return refuse(503, "too_many_viewers", "all places are taken; close a page")
  return { status: 200, headers: { ...noStore, "content-type": "text/event-stream" }, body }
}
