/** Numbers as people read them in a terminal. */

/** The two largest units of a time: "3d 4h", "12s". */
export function age(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000))
  const units: readonly [string, number][] = [
    ["d", Math.floor(seconds / 86_400)],
    ["h", Math.floor(seconds / 3600) % 24],
    ["m", Math.floor(seconds / 60) % 60],
    ["s", seconds % 60],
  ]
  const first = units.findIndex(([, amount]) => amount > 0)
  const shownUnits = first === -1 ? units.slice(3) : units.slice(first, first + 2)
  return shownUnits.map(([unit, amount]) => `${amount}${unit}`).join(" ")
}

/** "0", "0.4", "12", "2,841". */
export function rate(perSecond: number): string {
  if (perSecond === 0) return "0"
  return perSecond < 10 ? perSecond.toFixed(1) : Math.round(perSecond).toLocaleString("en")
}

/** "0.42 ms", "14 ms", "1.2 s"; "-" for none. */
export function latency(milliseconds: number | null): string {
  if (milliseconds === null) return "-"
  if (milliseconds >= 1_000) return `${(milliseconds / 1_000).toFixed(1)} s`
  const digits = milliseconds < 1 ? 2 : milliseconds < 10 ? 1 : 0
  return `${milliseconds.toFixed(digits)} ms`
}

/** "99%"; "-" for none. */
export function percent(share: number | null): string {
  return share === null ? "-" : `${Math.round(share * 100)}%`
}
