/** Help for people: every flag with its default, under headings, within 96 columns. */
import type { Paint } from "../observe/colour.ts"
import type { Flag } from "./flags.ts"

const WIDTH = 96
const MARGIN = 36

export interface CommandHelp {
  /** The first line, without "bunlb". */
  readonly usage: string
  readonly description: string
  readonly flags: readonly Flag[]
  readonly examples: readonly string[]
}

/** Name and description, for the list of commands. */
export type CommandLine = readonly [name: string, description: string]

export function helpPage(
  help: CommandHelp,
  commands: readonly CommandLine[],
  paint: Paint,
): string {
  const heading = (text: string): string => paint("bold", `${text}:`)
  const lines = [`${help.description}.`, "", `${heading("Usage")} bunlb ${help.usage}`]
  if (commands.length > 0) {
    const width = Math.max(...commands.map(([name]) => name.length)) + 3
    lines.push(
      "",
      heading("Commands"),
      ...commands.map(([name, text]) => `  ${name.padEnd(width)}${text}`),
    )
  }
  for (const group of new Set(help.flags.map((flag) => flag.group))) {
    lines.push("", heading(group))
    for (const flag of help.flags) if (flag.group === group) lines.push(...flagLines(flag))
  }
  if (help.examples.length > 0) {
    lines.push("", heading("Examples"), ...help.examples.map((example) => `  ${example}`))
  }
  if (commands.length > 0) lines.push("", "Also: bunlb COMMAND --help, bunlb --version")
  return lines.join("\n")
}

function flagLines({ name, short, type, help, defaultText }: Flag): string[] {
  const letter = short === undefined ? "    " : `-${short}, `
  const long = type.kind === "boolean" && defaultText === "true" ? `--[no-]${name}` : `--${name}`
  const left = `  ${letter}${long}${type.placeholder === "" ? "" : ` ${type.placeholder}`}`
  const evident = defaultText === "none" || (type.kind === "boolean" && defaultText === "false")
  const words = `${help}${evident ? "" : ` (default: ${defaultText})`}`.split(" ")
  const lines = left.length < MARGIN - 1 ? [left.padEnd(MARGIN)] : [left, " ".repeat(MARGIN)]
  for (const word of words) {
    const line = lines.at(-1) ?? ""
    const start = line.trimEnd() === "" || line === left.padEnd(MARGIN)
    if (line.length + word.length + 1 > WIDTH && !start) lines.push(" ".repeat(MARGIN) + word)
    else lines[lines.length - 1] = start ? line + word : `${line} ${word}`
  }
  return lines
}
