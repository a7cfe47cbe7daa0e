/**
 * The dashboard, in the browser: follows the events of the admin listener and shows each of them. Built with page.html
 * and its style into one page, src/admin/dashboard.html, by scripts/dashboard.ts.
 */
import type { Live, Past } from "../../master/figures/live.ts"
import type { FleetStatus } from "../../master/figures/status.ts"
import { showBackends } from "./backends.ts"
import { showCharts } from "./charts.ts"
import { showConnected, showDisconnected, showHeadline } from "./connection.ts"
import { at, write } from "./dom.ts"
import { showFigures } from "./figures.ts"
import { headline } from "./headline.ts"
import { History } from "./history.ts"
import { addToJournal, replaceJournal } from "./journal.ts"
import { age } from "./numbers.ts"
import { showWorkers } from "./workers.ts"

const RETRY_MS = 3_000

const history = new History()

function showPast({ moments, journal }: Past): void {
  history.replace(moments)
  replaceJournal(journal)
}

function showLive(live: Live & Pick<Past, "journal">): void {
  const { at: now, status, moment, journal } = live
  showConnected()
  addToJournal(journal)
  history.add(moment, now)
  write(at("facts"), factsOf(status))
  showHeadline(headline(status, history.moments, now))
  showFigures(live)
  showCharts(history, now)
  showBackends(live)
  showWorkers(status)
}

function factsOf({ version, port, uptime }: FleetStatus): string {
  return [version, `port ${port}`, `up ${age(uptime)}`].join(" · ")
}

/** The browser connects again by itself, unless it was refused. */
function connect(): void {
  const events = new EventSource("/api/v1/events")
  // To be connected is not enough to be live: that takes figures.
  events.onerror = () => {
    showDisconnected()
    if (events.readyState === EventSource.CLOSED) setTimeout(connect, RETRY_MS)
  }
  events.addEventListener("past", ({ data }) => showPast(JSON.parse(data)))
  events.addEventListener("live", ({ data }) => showLive(JSON.parse(data)))
}

connect()
