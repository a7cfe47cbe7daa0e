/**
 * A plain table: words to the left, numbers to the right, two spaces between, nothing after the
 * last column. `figures` are the columns of numbers that come as words, because they have a unit.
 */
import type { Paint, Style } from "../observe/colour.ts"

/** How a table is coloured; the padding is counted without the colours. */
export interface TableColours {
  readonly paint: Paint
  /** The colour of a cell, or null. */
  style(column: string, cell: string): Style | null
}

export function table(
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
  figures: readonly string[] = [],
  colours: TableColours | null = null,
): string {
  const lines = [head, ...rows]
  const widths = head.map((_, column) =>
    Math.max(...lines.map((line) => String(line[column] ?? "").length)),
  )
  const numeric = head.map(
    (name, column) => figures.includes(name) || rows.some((row) => typeof row[column] === "number"),
  )
  return lines
    .map((line, index) => {
      const cells = line.map((cell, column) => {
        const width = widths[column] ?? 0
        const text = String(cell)
        const padded = numeric[column] ? text.padStart(width) : text.padEnd(width)
        const style = index === 0 ? null : (colours?.style(head[column] ?? "", text) ?? null)
        return style === null ? padded : (colours?.paint(style, padded) ?? padded)
      })
      const whole = cells.join("  ").trimEnd()
      return index === 0 ? (colours?.paint("bold", whole) ?? whole) : whole
    })
    .join("\n")
}
