/** The strip of figures under the bar: the whole of bunlb over the last second. */
import type { Live } from "../../master/figures/live.ts"
import { at, dress, make, write } from "./dom.ts"
import { byteRate, count, latencyFigure, rate } from "./numbers.ts"
import type { Figure } from "./numbers.ts"

interface Reading {
  readonly name: string
  readonly read: (live: Live) => Figure
  readonly isAlarm?: (live: Live) => boolean
}

const readings: readonly Reading[] = [
  { name: "Requests", read: ({ whole }) => [rate(whole.requests), "/s"] },
  { name: "p50", read: ({ whole }) => latencyFigure(whole.p50) },
  { name: "p99", read: ({ whole }) => latencyFigure(whole.p99) },
  { name: "Errors", read: readErrors, isAlarm: (live) => errorsOf(live) > 0 },
  { name: "Clients", read: ({ moment }) => [count(moment[7]), ""] },
  { name: "In flight", read: ({ moment }) => [count(moment[8]), ""] },
  { name: "To clients", read: ({ whole }) => byteRate(whole.sent) },
]

const shown = readings.map(({ name, read, isAlarm }) => {
  const value = make("span", {}, "–")
  const unit = make("small")
  const box = make("div", {}, make("dt", {}, name), make("dd", {}, value, unit))
  at("figures").append(box)
  return (live: Live): void => {
    const figure = read(live)
    write(value, figure[0])
    write(unit, figure[1])
    dress(box, isAlarm?.(live) === true ? "bad" : "")
  }
})

export function showFigures(live: Live): void {
  for (const show of shown) show(live)
}

function errorsOf({ whole }: Live): number {
  return whole.classes[4] ?? 0
}

function readErrors(live: Live): Figure {
  const { requests } = live.whole
  const errors = errorsOf(live)
  if (requests === 0 || errors === 0) return [rate(errors), "5xx/s"]
  return [rate(errors), `5xx/s · ${((errors / requests) * 100).toFixed(1)}%`]
}
