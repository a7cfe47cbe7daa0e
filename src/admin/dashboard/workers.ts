/** The table of workers. */
import type { FleetStatus, WorkerStatus } from "../../master/figures/status.ts"
import { at, dress, makeWord, write } from "./dom.ts"
import { Grid, numberColumn, textColumn } from "./grid.ts"
import type { Tone } from "./headline.ts"
import { age, count } from "./numbers.ts"

const SERVING = "serving"
const tones: Readonly<Record<string, Tone>> = {
  [SERVING]: "good",
  starting: "warn",
  draining: "warn",
  resting: "bad",
  gone: "bad",
}

const grid = new Grid<WorkerStatus>("workers", [
  textColumn("Worker", ({ index }) => String(index), { isHead: true, isText: true }),
  { name: "State", isText: true, open: openState },
  textColumn("PID", ({ pid }) => (pid === null ? "–" : String(pid))),
  textColumn("Up", ({ uptime }) => age(uptime)),
  numberColumn("Clients", ({ clients }) => clients, count),
  numberColumn("In flight", ({ inFlight }) => inFlight, count),
  numberColumn("Restarts", ({ restarts }) => restarts, count, "caution"),
])

export function showWorkers({ workers }: FleetStatus): void {
  grid.show(workers.map((each) => ({ key: String(each.index), data: each })))
  const serving = workers.filter(({ state }) => state === SERVING).length
  write(at("workers-note"), `${serving} of ${workers.length} serving`)
}

function openState(cell: HTMLElement) {
  const { box, word } = makeWord()
  cell.append(box)
  return ({ state }: WorkerStatus): void => {
    dress(box, `word ${tones[state] ?? ""}`)
    write(word, state)
  }
}
