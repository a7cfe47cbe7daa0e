/** `bunlb status --watch`: the running bunlb as it moves, drawn anew each second until somebody has seen enough. */
import type { Settings } from "../config/schema/settings.ts"
import type { Live } from "../master/figures/live.ts"
import type { WorkerStatus } from "../master/figures/status.ts"
import { BunlbError } from "../core/errors.ts"
import { askAdmin } from "./admin-client.ts"
import { byPool, withHeadings } from "./by-pool.ts"
import { age, latency, percent, rate } from "./numbers.ts"
import { openScreen } from "./screen.ts"
import type { Line, Screen, Tone } from "./screen.ts"
import { table } from "./table.ts"

const PERIOD_MS = 1_000

/** Resolves with the exit code. Throws `BunlbError` when nothing answers from the start. */
export async function watchStatus(admin: Settings["admin"]): Promise<number> {
  const ask = () => askLive(admin)
  const first = await ask()
  const screen = openScreen()
  try {
    await watch(first, ask, screen, PERIOD_MS)
  } finally {
    screen.close()
  }
  return 0
}

/** A bunlb that does not answer is waited for: the last page stays, with the reason on top. */
export async function watch(
  first: Live,
  ask: () => Promise<Live>,
  screen: Screen,
  periodMs: number,
): Promise<void> {
  let live = first
  let fault = ""
  const closed = screen.closed.then(() => "closed" as const)
  for (;;) {
    screen.draw(livePage(live, fault))
    if ((await Promise.race([closed, Bun.sleep(periodMs)])) === "closed") return
    try {
      const answer = await Promise.race([closed, ask()])
      if (answer === "closed") return
      live = answer
      fault = ""
    } catch (error) {
      if (!(error instanceof BunlbError)) throw error
      fault = error.message
    }
  }
}

async function askLive(admin: Settings["admin"]): Promise<Live> {
  const { status, body } = await askAdmin(admin, "/api/v1/live")
  try {
    const read: unknown = JSON.parse(body)
    const known = read !== null && typeof read === "object" && "whole" in read
    if (status === 200 && known) return read as Live
  } catch {
    // Not JSON: said below.
  }
  const message = `the admin address answered ${status} and no figures: is it this bunlb's?`
  throw new BunlbError("BUNLB_E_ADMIN_UNREACHABLE", message)
}

/** `fault`: why there is no newer page than this one. */
export function livePage(live: Live, fault: string): Line[] {
  const { status, at } = live
  const state = status.draining ? ", draining" : ""
  const title = `bunlb ${status.version}, port ${status.port}, up ${age(status.uptime)}${state}`
  return [
    { text: title, tone: "title" },
    fault === "" ? line(summary(live)) : line(fault, "bad"),
    line(""),
    ...backendLines(live, at),
    line(""),
    ...workerLines(status.workers),
    line(""),
    line(`${new Date(at).toTimeString().slice(0, 8)}, q ends`, "faint"),
  ]
}

function line(text: string, tone: Tone = "plain"): Line {
  return { text, tone }
}

function summary({ whole, moment }: Live): string {
  const [, , , , , , , clients, inFlight] = moment
  const parts = [
    `${rate(whole.requests)} requests/s`,
    `p50 ${latency(whole.p50)}`,
    `p99 ${latency(whole.p99)}`,
    `${rate(whole.classes[4] ?? 0)} errors/s`,
    `${clients} clients`,
    `${inFlight} in flight`,
  ]
  return parts.join("   ")
}

const tones: Readonly<Record<string, Tone>> = {
  ...{ degraded: "warn", draining: "warn", down: "bad" },
  ...{ starting: "warn", resting: "bad", gone: "bad" },
}

const figures = ["REQ/S", "P50", "P99", "4XX/S", "5XX/S", "REUSE"]

function backendLines({ status, backends: rates }: Live, now: number): Line[] {
  const head =
    "BACKEND STATE SINCE REQ/S P50 P99 4XX/S 5XX/S ACTIVE IDLE REUSE WEIGHT FAILURES REASON"
  const groups = byPool(status)
  const shown = groups.flatMap(({ places }) => {
    return places.flatMap((at) => {
      const backend = status.backends[at]
      return backend === undefined ? [] : [{ ...backend, rates: rates[at] }]
    })
  })
  const rows = shown.map((backend) => {
    const { name, tls, backup, state, healthyWorkers, workers, since } = backend
    const { requests = 0, p50 = null, p99 = null, classes = [], reuse = null } = backend.rates ?? {}
    return [
      `${name}${tls ? " tls" : ""}${backup ? " backup" : ""}`,
      state === "degraded" ? `degraded ${healthyWorkers}/${workers}` : state,
      since === null ? "-" : age(now - since),
      ...[rate(requests), latency(p50), latency(p99), rate(classes[3] ?? 0), rate(classes[4] ?? 0)],
      ...[backend.active, backend.idle, percent(reuse), backend.weight, backend.failures],
      backend.reason,
    ]
  })
  const lines = toned(table(head.split(" "), rows, figures), shown)
  return withHeadings(lines, groups, (text) => line(text, "title"))
}

function workerLines(workers: readonly WorkerStatus[]): Line[] {
  const head = ["WORKER", "PID", "STATE", "UP", "CLIENTS", "IN FLIGHT", "RESTARTS"]
  const rows = workers.map(({ index, pid, state, uptime, clients, inFlight, restarts }) => [
    ...[String(index), pid ?? "-", state, age(uptime), clients, inFlight, restarts],
  ])
  return toned(table(head, rows), workers)
}

/** The first line is the head, the others are of `things` in their order. */
function toned(text: string, things: readonly { readonly state: string }[]): Line[] {
  return text
    .split("\n")
    .map((each, i) => line(each, i === 0 ? "head" : tones[things[i - 1]?.state ?? ""]))
}
