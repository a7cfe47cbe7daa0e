/** Tables for the generated pages of docs/. */

/** Columns as wide as their widest cell, as `bun fmt` wants them. */
export function table([head = [], ...rows]: readonly (readonly string[])[]): string {
  const widths = head.map((_, at) =>
    Math.max(...[head, ...rows].map((row) => row[at]?.length ?? 0)),
  )
  const line = (cells: readonly string[], fill = " "): string =>
    `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0, fill)).join(" | ")} |`
  const rule = line(
    head.map(() => ""),
    "-",
  )
  return [line(head), rule, ...rows.map((row) => line(row))].join("\n")
}
