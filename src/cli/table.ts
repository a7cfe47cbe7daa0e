/**
 * A plain table: words to the left, numbers to the right, two spaces between, nothing after the
 * last column. `figures` are the columns of numbers that come as words, because they have a unit.
 */

export function table(
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
  figures: readonly string[] = [],
): string {
  const lines = [head, ...rows]
  const widths = head.map((_, column) =>
    Math.max(...lines.map((line) => String(line[column] ?? "").length)),
  )
  const numeric = head.map(
    (name, column) => figures.includes(name) || rows.some((row) => typeof row[column] === "number"),
  )
  return lines
    .map((line) =>
      line
        .map((cell, column) => {
          const width = widths[column] ?? 0
          return numeric[column] ? String(cell).padStart(width) : String(cell).padEnd(width)
        })
        .join("  ")
        .trimEnd(),
    )
    .join("\n")
}
