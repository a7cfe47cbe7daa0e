/** The table of backends: what each is, how it does, and the button that drains or enables it. */
import type { Live } from "../../master/figures/live.ts"
import type { Rates } from "../../master/figures/rates.ts"
import type {
  BackendState,
  BackendStatus,
  FleetStatus,
  PoolStatus,
} from "../../master/figures/status.ts"
import { command } from "./command.ts"
import { at, dress, make, makeWord, write } from "./dom.ts"
import { Grid, numberColumn } from "./grid.ts"
import type { Entry } from "./grid.ts"
import type { Tone } from "./headline.ts"
import { age, count, latency, percent, rate } from "./numbers.ts"
import { byPool, describePool, nameInPool } from "./pools.ts"

interface BackendRow {
  /** Its name in the table. */
  readonly label: string
  readonly status: BackendStatus
  readonly rates: Rates
  /** Its requests as a share of the busiest backend's. */
  readonly share: number
  readonly now: number
  /** Whether its button works. */
  readonly control: boolean
}

const tones: Readonly<Record<BackendState, Tone>> = {
  up: "good",
  degraded: "warn",
  down: "bad",
  draining: "warn",
  disabled: "warn",
}

const grid = new Grid<BackendRow>("backends", [
  { name: "Backend", isHead: true, isText: true, open: openName },
  { name: "State", style: "state", isText: true, open: openState },
  { name: "Requests/s", open: openRequests },
  numberColumn("p50", ({ rates }) => rates.p50, latency),
  numberColumn("p99", ({ rates }) => rates.p99, latency),
  numberColumn("4xx/s", ({ rates }) => rates.classes[3] ?? 0, rate),
  numberColumn("5xx/s", ({ rates }) => rates.classes[4] ?? 0, rate, "alarm"),
  numberColumn("Failures", ({ status }) => status.failures, count),
  numberColumn("Active", ({ status }) => status.active, count),
  numberColumn("Idle", ({ status }) => status.idle, count),
  numberColumn("Reuse", ({ rates }) => rates.reuse, percent),
  numberColumn("Weight", ({ status }) => status.weight, count),
  { name: "Action", style: "act", isSaid: true, open: openAction },
])

export function showBackends({ at: now, status, backends }: Live): void {
  const busiest = Math.max(1e-9, ...backends.map(({ requests }) => requests))
  const control = status.control === true
  const rows = status.backends.flatMap((each, i) => {
    const rates = backends[i]
    if (rates === undefined) return []
    const share = rates.requests / busiest
    return [{ label: each.name, status: each, rates, share, now, control }]
  })
  grid.show(entriesOf(rows, status.pools ?? []))
  write(at("backends-note"), noteOf(status))
}

/** The rows of several pools come under a heading for each. */
function entriesOf(rows: readonly BackendRow[], pools: readonly PoolStatus[]): Entry<BackendRow>[] {
  const entryOf = (data: BackendRow) => ({ key: `backend ${data.status.name}`, data })
  const groups = byPool(pools, rows, ({ status }) => status)
  if (groups.length < 2) return rows.map(entryOf)
  return groups.flatMap(({ pool, status, backends }) => {
    const requests = backends.reduce((sum, { rates }) => sum + rates.requests, 0)
    const up = upOf(backends.map((row) => row.status))
    const note = [up, `${rate(requests)}/s`, describePool(status)].join(" · ")
    const members = backends.map((row) => entryOf({ ...row, label: nameInPool(row.status) }))
    return [{ key: `pool ${pool}`, heading: pool, note }, ...members]
  })
}

function upOf(backends: readonly BackendStatus[]): string {
  return `${backends.filter(({ state }) => state === "up").length} of ${backends.length} up`
}

/** How many are up, what was changed by hand, and which names do not resolve. */
function noteOf({ backends, byHand = [], discovered = [] }: FleetStatus): string {
  const hand = byHand.length === 0 ? "" : `, by hand: ${byHand.join(", ")}`
  const lost = discovered.filter(({ stale }) => stale !== "")
  const dns = lost.map(({ name, stale }) => `, ${name} does not resolve: ${stale}`)
  return `${upOf(backends)}${hand}${dns.join("")}`
}

function openName(cell: HTMLElement) {
  let shown = ""
  return ({ label, status: { tls, backup, addresses } }: BackendRow): void => {
    const tags = [tls ? "TLS" : "", backup ? "backup" : ""].filter((tag) => tag !== "")
    const title = addresses.join(", ")
    const key = [label, title, ...tags].join("\n")
    if (shown === key) return
    shown = key
    const text = make("span", { class: "name", title }, label)
    cell.replaceChildren(text, ...tags.map((tag) => make("span", { class: "tag" }, tag)))
  }
}

function openState(cell: HTMLElement) {
  const { box, word } = makeWord()
  const why = make("div", { class: "why" })
  cell.append(box, why)
  return ({ status, now }: BackendRow): void => {
    const { state, workers, healthyWorkers, since, reason } = status
    const some =
      state === "degraded" ? ` for ${workers - healthyWorkers} of ${workers} workers` : ""
    dress(box, `word ${tones[state]}`)
    write(word, `${state}${some}`)
    const parts = [since === null ? "" : `for ${age(now - since)}`, reason]
    write(why, parts.filter((part) => part !== "").join(" · "))
    why.hidden = why.textContent === ""
  }
}

function openRequests(cell: HTMLElement) {
  const value = make("span")
  const bar = make("span")
  cell.append(value, make("span", { class: "share", "aria-hidden": "true" }, bar))
  return ({ rates, share }: BackendRow): void => {
    write(value, rate(rates.requests))
    bar.style.transform = `scaleX(${share.toFixed(3)})`
  }
}

function openAction(cell: HTMLElement) {
  let shown = ""
  return ({ status: { name, state }, control }: BackendRow): void => {
    const verb = state === "draining" || state === "disabled" ? "enable" : "drain"
    const wanted = control ? verb : ""
    if (shown === wanted) return
    shown = wanted
    const hadFocus = cell.contains(document.activeElement)
    cell.replaceChildren()
    if (!control) return
    const button = makeButton(verb, name)
    cell.append(button)
    if (hadFocus) button.focus()
  }
}

function makeButton(verb: "drain" | "enable", name: string): HTMLButtonElement {
  const word = verb === "drain" ? "Drain" : "Enable"
  const button = make("button", { type: "button", "aria-label": `${word} ${name}` }, word)
  button.addEventListener("click", () => {
    const question = `Drain ${name}? It gets no new requests until it is enabled.`
    if (verb === "enable" || confirm(question)) void command(name, verb)
  })
  return button
}
