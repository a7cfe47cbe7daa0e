/**
 * The admin listener: what the fleet says of itself, over HTTP, on an address of its own. It lives in the master,
 * off the data path, so `Bun.serve` is good enough here. What changes something is in control.ts.
 *
 *     GET /                the dashboard
 *     GET /metrics         Prometheus text, merged over all workers
 *     GET /health          200 `ok`, or 503 and why, one line
 *     GET /api/v1/status   JSON, see fleet/status.ts
 *     GET /api/v1/live     JSON, the status with rates and latencies, see fleet/live.ts
 *     GET /api/v1/events   the same once a second, as server-sent events
 *     GET /api/v1/openapi.json   all of this and of control.ts, for programs
 */
import type { Live, Past } from "../fleet/live.ts"
import type { FleetStatus } from "../fleet/status.ts"
import { ignoreNewcomersOf } from "../net/listeners.ts"
import { BunlbError } from "../observe/errors.ts"
import { PROMETHEUS_CONTENT_TYPE } from "../observe/prometheus.ts"
import { showDashboard } from "./dashboard.ts"
import { describeApi } from "./openapi.ts"
import { Viewers } from "./viewers.ts"
import { answerControl, type AdminControl } from "./control.ts"

/** What the listener shows. */
export interface AdminSource {
  health(): { ok: boolean; reason: string }
  metrics(): Promise<string>
  status(): Promise<FleetStatus>
  live(): Live
  past(): Past
  /** What changes something; absent where nothing can be changed. */
  readonly control?: AdminControl
}

export interface AdminListener {
  /** The port that is really bound. */
  readonly port: number
  /** Answers who has come, and leaves who comes now to another process at the same port. */
  retire(): void
  stop(): Promise<void>
}

export interface AdminAddress {
  readonly host: string
  readonly port: number
}

type Page = (source: AdminSource, viewers: Viewers) => Response | Promise<Response>

const pages = new Map<string, Page>([
  ["/", showDashboard],
  ["/metrics", showMetrics],
  ["/health", showHealth],
  ["/api/v1/status", showStatus],
  ["/api/v1/live", showLive],
  ["/api/v1/events", showEvents],
  ["/api/v1/openapi.json", showDescription],
])

const noStore = { "cache-control": "no-store" }
const MAX_REQUEST_BODY_BYTES = 64 * 1024
const IDLE_LIMIT_SECONDS = 30
/** An upgrade, or a reload behind one, takes its time. */
const CHANGE_LIMIT_SECONDS = 120

/** For connections on their way to a listener that retires. */
const KNOCKED_MS = 300

/**
 * Throws `BunlbError` when the address cannot be bound. `sharedPort`: the one that a bunlb which leaves has there, to
 * be shared until it is gone; else the port is ours alone, and only one that follows this one may share it.
 */
export async function startAdmin(
  address: AdminAddress,
  source: AdminSource,
  sharedPort: number | null = null,
): Promise<AdminListener> {
  const viewers = new Viewers(source)
  const port = sharedPort ?? claim(address)
  let retired = false
  const server = serve({ ...address, port }, async (request) => {
    const { control } = source
    const changed = control && answerControl(request, control, address.host)
    const response = await (changed ?? answer(request, source, viewers))
    if (retired) response.headers.set("connection", "close")
    return response
  })
  const retire = (): void => {
    retired = true
    viewers.stop()
    ignoreNewcomersOf(port)
    setTimeout(() => void server.stop(false), KNOCKED_MS)
  }
  const stop = async (): Promise<void> => {
    viewers.stop()
    await server.stop(true)
  }
  return { port, retire, stop }
}

/** The port, proven free: Bun shares with whoever shares. */
function claim({ host, port }: AdminAddress): number {
  try {
    const listener = Bun.listen({ hostname: host, port, socket: { data() {} } })
    listener.stop()
    return listener.port
  } catch (error) {
    throw bindError(host, port, error)
  }
}

function serve({ host, port }: AdminAddress, respond: (request: Request) => Promise<Response>) {
  try {
    return Bun.serve({
      hostname: host,
      port,
      development: false,
      reusePort: true,
      idleTimeout: IDLE_LIMIT_SECONDS,
      maxRequestBodySize: MAX_REQUEST_BODY_BYTES,
      fetch: (request, server) => {
        if (request.method === "POST") server.timeout(request, CHANGE_LIMIT_SECONDS)
        return respond(request)
      },
      error: () => refuse(500, "internal", "the figures could not be read"),
    })
  } catch (error) {
    throw bindError(host, port, error)
  }
}

function answer(
  request: Request,
  source: AdminSource,
  viewers: Viewers,
): Response | Promise<Response> {
  const { pathname } = new URL(request.url)
  const page = pages.get(pathname)
  if (page === undefined) {
    return refuse(404, "not_found", `nothing here; try ${[...pages.keys()].join(", ")}`)
  }
  if (request.method !== "GET" && request.method !== "HEAD") {
    const response = refuse(405, "method_not_allowed", `${pathname} takes GET and HEAD`)
    response.headers.set("allow", "GET, HEAD")
    return response
  }
  return page(source, viewers)
}

async function showMetrics(source: AdminSource): Promise<Response> {
  return new Response(await source.metrics(), {
    headers: { ...noStore, "content-type": PROMETHEUS_CONTENT_TYPE },
  })
}

function showHealth(source: AdminSource): Response {
  const { ok, reason } = source.health()
  const headers = { ...noStore, "content-type": "text/plain; charset=utf-8" }
  return new Response(`${reason}\n`, { status: ok ? 200 : 503, headers })
}

async function showStatus(source: AdminSource): Promise<Response> {
  return Response.json(await source.status(), { headers: noStore })
}

function showDescription(): Response {
  return Response.json(describeApi(), { headers: noStore })
}

function showLive(source: AdminSource): Response {
  return Response.json(source.live(), { headers: noStore })
}

function showEvents(_source: AdminSource, viewers: Viewers): Response {
  const stream = viewers.open()
  if (stream === null) return refuse(503, "too_many_viewers", "all places are taken; close a page")
  return new Response(stream, { headers: { ...noStore, "content-type": "text/event-stream" } })
}

function refuse(status: number, code: string, message: string): Response {
  return Response.json({ error: { code, message } }, { status, headers: noStore })
}

function bindError(host: string, port: number, error: unknown): BunlbError {
  const code = error instanceof Error && "code" in error ? String(error.code) : ""
  const cure = "choose another with --admin HOST:PORT, or switch it off with --admin off"
  switch (code) {
    case "EADDRINUSE":
      return new BunlbError(
        "BUNLB_E_PORT_IN_USE",
        `admin: port ${port} on ${host} is already in use; ${cure}`,
      )
    case "EACCES":
      return new BunlbError(
        "BUNLB_E_PORT_PRIVILEGED",
        `admin: port ${port} on ${host} needs a privilege; ${cure}`,
      )
    default:
      return new BunlbError(
        "BUNLB_E_ADDRESS",
        `admin: cannot listen on ${host}, port ${port} (${code || "unknown address"}); ${cure}`,
      )
  }
}
