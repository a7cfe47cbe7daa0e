/**
 * The type checks that `bun check` runs: of everything, of the dashboard with the types of a browser, and of everything
 * again with `noUncheckedIndexedAccess`, which takes each `list[i]` for undefined until the code has looked at it.
 * That last one leaves out the files of `scanners`, and no other.
 *
 *   bun run types
 */
import { root } from "../test/support/source.ts"

const DASHBOARD = "src/admin/dashboard"
const INDEXES = "--noUncheckedIndexedAccess"

/**
 * Files whose loops check the index themselves: they read the bytes of each message, or tables of numbers in which
 * every index has a place. A second look at each of them would say nothing.
 */
const scanners: readonly string[] = [
  "src/h1/request-writer.ts",
  "src/h1/request.ts",
  "src/h1/response-writer.ts",
  "src/h1/response.ts",
  "src/h1/upgrade.ts",
  "src/health/board.ts",
  "src/http/field-section.ts",
  "src/http/fields.ts",
  "src/http/identity.ts",
  "src/http/request-id.ts",
  "src/http/trace-context.ts",
  "src/master/figures/backend-table.ts",
  "src/master/figures/rates.ts",
  "src/net/ip/bytes.ts",
  "src/worker/backend-reports.ts",
]

type Counts = (file: string) => boolean

/** The checker's errors in the files that count. */
export function errorsOf(output: string, counts: Counts): string[] {
  return errorLines(output).filter((line) => counts(fileOf(line)))
}

/** Files of a list that have no error: the list must not grow old. */
export function needless(output: string, files: readonly string[]): string[] {
  const found = new Set(errorLines(output).map(fileOf))
  return files
    .filter((file) => !found.has(file))
    .map((file) => `${file} passes ${INDEXES}: take it off the list in scripts/check-types.ts`)
}

function errorLines(output: string): string[] {
  return output.split("\n").filter((line) => / error TS\d+: /.test(line))
}

function fileOf(line: string): string {
  return line.replace(/\(\d.*/, "")
}

/** What the checker says. Throws when it fails and names no error: then it has not checked. */
async function check(...more: string[]): Promise<string> {
  const words = ["check", "--no-script", "--no-pretty", "--all", ...more]
  const options = { cwd: root, stdout: "pipe", stderr: "pipe" } as const
  const child = Bun.spawn([process.execPath, ...words], options)
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()])
  const output = `${out}\n${err}`
  if ((await child.exited) !== 0 && errorLines(output).length === 0) {
    throw new Error(`bun ${words.join(" ")}: ${output}`)
  }
  return output
}

async function checkAll(): Promise<string[]> {
  const [all, indexes, dashboard] = await Promise.all([
    check(),
    check(INDEXES),
    check("-p", DASHBOARD),
  ])
  const plain = errorsOf(all, () => true)
  if (plain.length > 0) return plain
  return [
    ...errorsOf(indexes, (file) => !scanners.includes(file)),
    ...needless(indexes, scanners),
    ...errorsOf(dashboard, (file) => file.startsWith(`${DASHBOARD}/`)),
  ]
}

if (import.meta.main) {
  const errors = await checkAll()
  for (const error of errors) console.error(error)
  console.log(errors.length === 0 ? "No type errors" : `${errors.length} type errors`)
  process.exit(errors.length === 0 ? 0 : 1)
}
