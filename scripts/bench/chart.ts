/** Charts as SVG, drawn by hand: groups of bars, and lines over a logarithmic axis. They need no script and no font. */
export interface BarChart {
  readonly title: string
  readonly unit: string
  readonly series: readonly string[]
  /** Each with a value for each series, or null. */
  readonly groups: readonly { readonly name: string; readonly values: readonly (number | null)[] }[]
  readonly format: (value: number) => string
  /** Where a line marks the value to compare with. */
  readonly mark?: number
  /** Bars longer than this are cut, and their label says so. */
  readonly limit?: number
}

export interface LineChart {
  readonly title: string
  readonly xTitle: string
  readonly yTitle: string
  readonly points: readonly { readonly x: number; readonly y: number; readonly name: string }[]
}

const COLOURS = ["#d9480f", "#1971c2", "#2f9e44", "#9c36b5", "#868e96"]
const WIDTH = 860
const LEFT = 110
const RIGHT = 90
const BAR = 13
const GROUP_GAP = 12
const TOP = 74

export function barChart({ title, unit, series, groups, format, mark, limit }: BarChart): string {
  const present = groups.flatMap(({ values }) => values.filter((value) => value !== null))
  const longest = Math.min(limit ?? Infinity, Math.max(mark ?? 0, ...present))
  const scale = (WIDTH - LEFT - RIGHT) / longest
  const parts: string[] = []
  let y = TOP
  for (const { name, values } of groups) {
    const begun = y
    values.forEach((value, index) => {
      if (value === null) return
      const width = Math.min(value, longest) * scale
      const colour = COLOURS[index % COLOURS.length] ?? ""
      parts.push(rectangle(LEFT, y, width, BAR - 2, colour))
      const cut = value > longest ? " >" : ""
      parts.push(label(LEFT + width + 5, y + BAR - 4, `${format(value)}${cut}`, "start", 10))
      y += BAR
    })
    parts.push(label(LEFT - 8, (begun + y) / 2 + 3, name, "end", 12))
    y += GROUP_GAP
  }
  if (mark !== undefined) {
    const x = LEFT + mark * scale
    parts.push(
      `<path d="M${round(x)} ${TOP - 6}V${y - 6}" stroke="#212529" stroke-dasharray="3 3"/>`,
    )
  }
  return page(y + 8, title, [label(LEFT, 44, unit, "start", 12), ...legend(series), ...parts])
}

const PLOT_HEIGHT = 260

export function lineChart({ title, xTitle, yTitle, points }: LineChart): string {
  const right = WIDTH - 40
  const bottom = TOP + PLOT_HEIGHT
  const xs = points.map(({ x }) => Math.log10(x))
  const [least, most] = [Math.min(...xs), Math.max(...xs)]
  const top = niceCeiling(Math.max(...points.map(({ y }) => y)))
  const place = (x: number, y: number): readonly [number, number] => [
    LEFT + ((Math.log10(x) - least) / (most - least || 1)) * (right - LEFT),
    bottom - (y / top) * PLOT_HEIGHT,
  ]
  const parts = [0, 0.25, 0.5, 0.75, 1].flatMap((share) => {
    const y = bottom - share * PLOT_HEIGHT
    const grid = `<path d="M${LEFT} ${round(y)}H${right}" stroke="#dee2e6"/>`
    return [grid, label(LEFT - 8, y + 4, String(Number((share * top).toPrecision(3))), "end", 11)]
  })
  const path = points.map(({ x, y }) => place(x, y).map(round).join(" ")).join("L")
  parts.push(`<path d="M${path}" fill="none" stroke="${COLOURS[0]}" stroke-width="2"/>`)
  for (const { x, y, name } of points) {
    const [left, up] = place(x, y)
    parts.push(`<circle cx="${round(left)}" cy="${round(up)}" r="4" fill="${COLOURS[0]}"/>`)
    parts.push(label(left, up - 9, y.toFixed(1), "middle", 11))
    parts.push(label(left, bottom + 18, name, "middle", 11))
  }
  parts.push(label((LEFT + right) / 2, bottom + 40, xTitle, "middle", 12))
  return page(bottom + 54, title, [label(LEFT, 50, yTitle, "start", 12), ...parts])
}

/** 1, 2 or 5 times a power of ten, not below `value`. */
export function niceCeiling(value: number): number {
  if (value <= 0) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  const step = [1, 2, 5, 10].find((each) => each * power >= value * (1 - 1e-9)) ?? 10
  return step * power
}

function legend(series: readonly string[]): string[] {
  const width = 100
  const from = WIDTH - series.length * width
  return series.flatMap((name, index) => {
    const x = from + index * width
    const colour = COLOURS[index % COLOURS.length] ?? ""
    return [rectangle(x, 35, 10, 10, colour), label(x + 15, 44, name, "start", 12)]
  })
}

function page(height: number, title: string, parts: readonly string[]): string {
  const size = `width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}"`
  const head = `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="sans-serif" role="img">`
  const whole = [
    `<title>${escaped(title)}</title>`,
    rectangle(0, 0, WIDTH, height, "#ffffff"),
    label(16, 22, title, "start", 15),
    ...parts,
  ]
  return `${head}\n${whole.map((part) => `  ${part}\n`).join("")}</svg>\n`
}

function rectangle(x: number, y: number, width: number, height: number, colour: string): string {
  const place = `x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}"`
  return `<rect ${place} fill="${colour}"/>`
}

function label(x: number, y: number, text: string, anchor: string, size: number): string {
  const place = `x="${round(x)}" y="${round(y)}" text-anchor="${anchor}" font-size="${size}"`
  return `<text ${place} fill="#212529">${escaped(text)}</text>`
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
}
