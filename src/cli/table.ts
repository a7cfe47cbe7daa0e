/**
 * A plain table: words to the left, numbers to the right, two spaces between, nothing after the
 * last column.
 */

export function table(
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const lines = [head, ...rows]
  const widths = head.map((_, column) =>
    Math.max(...lines.map((line) => String(line[column] ?? "").length)),
  )
  const numeric = head.map((_, column) => rows.some((row) => typeof row[column] === "number"))
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
