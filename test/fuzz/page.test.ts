/** docs/http.md says what the code does: its tables of refusals and of laxities are those of the sources. */
import { expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { explanations } from "../../scripts/differential/explained.ts"
import { refusals } from "../../src/http/refusal.ts"
import { root } from "../support/source.ts"

const page = readFileSync(join(root, "docs", "http.md"), "utf8")

/** The cells of the table under the heading row that begins like this. */
function table(heading: string): string[][] {
  const [, after = ""] = page.split(new RegExp(`\\n\\| ${heading} +\\|`))
  const [rows = ""] = after.split("\n\n")
  return rows
    .trimEnd()
    .split("\n")
    .slice(2)
    .map((row) =>
      row
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
}

test("every refusal stands on the page, with its status and its text, in the same order", () => {
  const written = table("Reason").map(([reason, status, text]) => [reason, status, text])
  const real = refusals.flatMap((refusal) =>
    refusal === null ? [] : [[`\`${refusal.reason}\``, String(refusal.status), refusal.text]],
  )
  expect(written).toEqual(real)
  for (const row of table("Reason")) expect(row[3]).toMatch(/^.+\.$/)
})

test("every laxity beside nginx and HAProxy is explained, by who refuses it", () => {
  const names = { nginx: "nginx", haproxy: "HAProxy" }
  const written = new Map(table("Case").map(([name, who]) => [name, who]))
  const real = new Map<string, string>()
  for (const { name, peer } of explanations) {
    const others = (real.get(name) ?? "").split(", ").filter((other) => other !== "")
    real.set(name, [...new Set([...others, names[peer]])].join(", "))
  }
  expect(written).toEqual(real)
})
