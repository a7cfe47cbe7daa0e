/** Numbers, times and sizes as people read them. Pure. */

/** What is shown where there is no value. */
const NONE = "–"

/** A value and its unit, which are shown in different sizes. */
export type Figure = readonly [value: string, unit: string]

/** "14", "2,841", "31.0k", "1.20M". */
export function count(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toFixed(value < 1e7 ? 2 : 1)}M`
  if (value >= 1e4) return `${(value / 1e3).toFixed(1)}k`
  return Math.round(value).toLocaleString("en")
}

/** "0", "0.4", "12", "2,841". */
export function rate(perSecond: number): string {
  if (perSecond === 0) return "0"
  return perSecond < 10 ? perSecond.toFixed(1) : count(perSecond)
}

/** "0.42" "ms", "1.2" "s". */
export function latencyFigure(ms: number | null): Figure {
  if (ms === null) return [NONE, ""]
  if (ms < 10) return [ms.toFixed(ms < 1 ? 2 : 1), "ms"]
  if (ms < 1_000) return [ms.toFixed(0), "ms"]
  return [(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0), "s"]
}

/** The same in one piece: "0.42 ms". */
export function latency(ms: number | null): string {
  return latencyFigure(ms).join(" ").trim()
}

/** "310" "kB/s". */
export function byteRate(perSecond: number): Figure {
  let value = perSecond
  let unit = "B"
  for (const larger of ["kB", "MB", "GB"]) {
    if (value < 1_000) break
    value /= 1_000
    unit = larger
  }
  return [value < 10 && unit !== "B" ? value.toFixed(1) : value.toFixed(0), `${unit}/s`]
}

/** "99%". */
export function percent(share: number | null): string {
  return share === null ? NONE : `${Math.round(share * 100)}%`
}

/** A small share is shown with a digit behind the point: "2.0%", "20%". */
export function finePercent(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 ? 1 : 0)}%`
}

/** The two largest units of a time: "3d 4h", "12s". */
export function age(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000))
  const parts: readonly (readonly [unit: string, amount: number])[] = [
    ["d", Math.floor(seconds / 86_400)],
    ["h", Math.floor(seconds / 3_600) % 24],
    ["m", Math.floor(seconds / 60) % 60],
    ["s", seconds % 60],
  ]
  const first = parts.findIndex(([, amount]) => amount > 0)
  const two = first === -1 ? parts.slice(3) : parts.slice(first, first + 2)
  return two.map(([unit, amount]) => `${amount}${unit}`).join(" ")
}

/** The time of day: "14:03:59". */
export function clock(ms: number): string {
  return new Date(ms).toLocaleTimeString("en-GB")
}
