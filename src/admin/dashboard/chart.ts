/**
 * A chart that follows the time. Pointer and arrow keys pick a point, whose values are then shown beside it and read
 * out. It is drawn again whenever its data or its size changes.
 */
import { at, draw, make, write } from "./dom.ts"
import type { Point, Span } from "./history.ts"
import { clock } from "./numbers.ts"
import type { Painter, Series } from "./painters.ts"
import { LEFT, nearest, Plot } from "./plot.ts"

const MINUTE_MS = 60_000
/** Room for the labels below the drawing. */
const BELOW = 20
/** Of the note beside a picked point from the point, in pixels. */
const NOTE_DISTANCE = 24

export class Chart {
  #points: readonly Point[] = []
  #plot: Plot | null = null
  #now = 0
  #span: Span | null = null
  /** The time of the picked point. */
  #picked: number | null = null
  readonly #svg: SVGSVGElement
  readonly #note = make("div", { class: "tip", hidden: "" })

  constructor(
    id: string,
    readonly title: string,
    readonly series: readonly Series[],
    readonly painter: Painter,
  ) {
    this.#svg = draw("svg", { role: "img", tabindex: 0, "aria-label": title })
    at(id).append(this.#svg, this.#note)
    const names = series.map(({ name, style }) =>
      make("span", {}, make("i", { class: style }), name),
    )
    at(`${id}-legend`).append(...names)
    new ResizeObserver(() => this.#redraw()).observe(this.#svg)
    this.#svg.addEventListener("pointermove", ({ clientX }) => this.#pickAt(clientX))
    this.#svg.addEventListener("pointerleave", () => this.#pick(null))
    this.#svg.addEventListener("blur", () => this.#pick(null))
    this.#svg.addEventListener("keydown", (event) => this.#step(event))
  }

  show(points: readonly Point[], now: number, span: Span): void {
    this.#points = points
    this.#now = now
    this.#span = span
    this.#redraw()
    const last = points.at(-1)
    if (last === undefined) return
    const label = `${this.title}; now ${this.#read(last)}. Arrow keys read it.`
    this.#svg.setAttribute("aria-label", label)
  }

  #read(point: Point): string {
    const values = this.series.map(({ name, value, format }) => `${name} ${format(value(point))}`)
    return values.join(", ")
  }

  #pickAt(clientX: number): void {
    if (this.#plot === null) return
    const { left } = this.#svg.getBoundingClientRect()
    this.#pick(nearest(this.#points, this.#plot.timeAt(clientX - left)))
  }

  #step(event: KeyboardEvent): void {
    if (event.key === "Escape") this.#pick(null)
    const way = event.key === "ArrowLeft" ? -1 : event.key === "ArrowRight" ? 1 : 0
    const last = this.#points.length - 1
    if (way === 0 || last < 0) return
    event.preventDefault()
    const start = way < 0 ? last + 1 : last
    const picked = this.#points.findIndex(({ at }) => at === this.#picked)
    const from = this.#picked === null ? start : picked
    const point = this.#points[Math.min(last, Math.max(0, from + way))]
    if (point === undefined) return
    this.#pick(point)
    write(at("readout"), `${clock(point.at)}: ${this.#read(point)}`)
  }

  #pick(point: Point | null): void {
    this.#picked = point?.at ?? null
    this.#redraw()
  }

  #redraw(): void {
    const { width, height } = this.#svg.getBoundingClientRect()
    if (width === 0 || this.#span === null) return
    const top = this.painter.top(this.#points)
    const plot = new Plot(this.#now, this.#span, width, height - BELOW, top)
    this.#plot = plot
    const parts = this.painter.paint(plot, this.#points, this.series)
    const marks = [...valueMarks(plot, this.painter.label), ...timeMarks(plot)]
    this.#svg.replaceChildren(...marks, ...parts, ...this.#cross(plot))
  }

  /** The line at the picked point, and the note beside it. */
  #cross(plot: Plot): SVGLineElement[] {
    const point = this.#points.find((each) => each.at === this.#picked)
    this.#note.hidden = point === undefined
    if (point === undefined) return []
    const x = plot.x(point.at)
    const rows = this.series.map(({ name, style, value, format }) =>
      make("span", {}, make("i", { class: style }), name, make("b", {}, format(value(point)))),
    )
    this.#note.replaceChildren(make("time", {}, clock(point.at)), ...rows.reverse())
    const { offsetWidth } = this.#note
    const fits = x + NOTE_DISTANCE + offsetWidth <= plot.width
    const left = fits ? x + NOTE_DISTANCE : x - offsetWidth
    this.#note.style.transform = `translateX(${left}px)`
    return [draw("line", { class: "cross", x1: x, x2: x, y1: 6, y2: plot.height })]
  }
}

/** Lines at nothing, half and the top, with their values. */
function valueMarks(plot: Plot, label: Painter["label"]): SVGElement[] {
  return [0, 0.5, 1].flatMap((share) => {
    const value = plot.top * share
    const y = Math.round(plot.y(value)) + 0.5
    const place = { x: LEFT - 8, y: y + 4, "text-anchor": "end" }
    return [
      draw("line", { class: "grid", x1: LEFT, x2: plot.width, y1: y, y2: y }),
      draw("text", place, label(value)),
    ]
  })
}

function timeMarks(plot: Plot): SVGElement[] {
  const all = plot.span.minutes
  const marked = all === 15 ? [15, 10, 5, 0] : [all, all === 2 ? 1 : 2, 0]
  return marked.map((minutes) => {
    const anchor = minutes === all ? "start" : minutes === 0 ? "end" : "middle"
    const x = plot.x(plot.now - minutes * MINUTE_MS)
    const place = { x, y: plot.height + BELOW - 3, "text-anchor": anchor }
    return draw("text", place, minutes === 0 ? "now" : `−${minutes} min`)
  })
}
