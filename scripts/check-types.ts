/**
 * The type checks that `bun check` runs: of everything, and of the dashboard with the types of a browser.
 *
 *   bun run types
 */
import { root } from "../test/support/source.ts"

const dashboard = "src/admin/dashboard"

/** The checker's errors in the files that count. */
export function errorsOf(output: string, counts: (file: string) => boolean): string[] {
  const lines = output.split("\n").filter((line) => / error TS\d+: /.test(line))
  return lines.filter((line) => counts(line.replace(/\(\d.*/, "")))
}

async function check(counts: (file: string) => boolean, ...more: string[]): Promise<string[]> {
  const words = ["check", "--no-script", "--no-pretty", "--all", ...more]
  const options = { cwd: root, stdout: "pipe", stderr: "pipe" } as const
  const child = Bun.spawn([process.execPath, ...words], options)
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()])
  const output = `${out}\n${err}`
  const errors = errorsOf(output, counts)
  // A checker that fails and names no error has not checked.
  const isBroken = (await child.exited) !== 0 && errorsOf(output, () => true).length === 0
  return isBroken ? [`bun ${words.join(" ")}: ${output}`] : errors
}

if (import.meta.main) {
  const results = await Promise.all([
    check(() => true),
    check((file) => file.startsWith(`${dashboard}/`), "-p", dashboard),
  ])
  const errors = results.flat()
  for (const error of errors) console.error(error)
  console.log(errors.length === 0 ? "No type errors" : `${errors.length} type errors`)
  process.exit(errors.length === 0 ? 0 : 1)
}
