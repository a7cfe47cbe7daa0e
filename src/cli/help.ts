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
  const lines = opening(help, commands, heading)
  for (const group of new Set(help.flags.map((flag) => flag.group))) {
    lines.push("", heading(group))
    for (const flag of help.flags) if (flag.group === group) lines.push(...flagLines(flag))
  }
  if (help.examples.length > 0) {
    lines.push("", heading("Examples"), ...help.examples.map((example) => `  ${example}`))
  }
  if (commands.length > 0) lines.push("", ALSO)
  return lines.join("\n")
}

/** The page that fits on a screen: the flags of every day, and where the others are. */
export function shortHelp(
  help: CommandHelp,
  everyday: readonly string[],
  commands: readonly CommandLine[],
  paint: Paint,
): string {
  const heading = (text: string): string => paint("bold", `${text}:`)
  const lines = [...opening(help, commands, heading), "", heading("Flags of every day")]
  for (const name of everyday) {
    const flag = help.flags.find((each) => each.name === name)
    if (flag !== undefined) lines.push(...flagLines(flag))
  }
  const topics = [...new Set(help.flags.map((flag) => flag.group))].map(topicOf)
  lines.push("", heading("All others"), "  bunlb help all, or one group of them: bunlb help GROUP")
  lines.push(...wrapped(topics.join(", "), "  "))
  if (help.examples.length > 0) {
    lines.push("", heading("Examples"), ...help.examples.map((example) => `  ${example}`))
  }
  if (commands.length > 0) lines.push("", ALSO)
  return lines.join("\n")
}

/** How a group is asked for: `health-checks`. */
export function topicOf(group: string): string {
  return group.toLowerCase().replaceAll(" ", "-")
}

/** The group of flags that is asked for by this word, or null. */
export function groupNamed(flags: readonly Flag[], topic: string): string | null {
  const groups = [...new Set(flags.map((flag) => flag.group))]
  const word = topicOf(topic)
  return groups.find((group) => topicOf(group) === word) ?? alike(groups, word)
}

/** `health` is enough for `health-checks`. */
function alike(groups: readonly string[], word: string): string | null {
  const some = groups.filter((group) => topicOf(group).startsWith(word))
  return some.length === 1 ? (some[0] ?? null) : null
}

const ALSO = "Also: bunlb COMMAND --help, bunlb --version"

function opening(
  help: CommandHelp,
  commands: readonly CommandLine[],
  heading: (text: string) => string,
): string[] {
  const lines = [`${help.description}.`, "", `${heading("Usage")} bunlb ${help.usage}`]
  if (commands.length === 0) return lines
  const width = Math.max(...commands.map(([name]) => name.length)) + 3
  const rows = commands.map(([name, text]) => `  ${name.padEnd(width)}${text}`)
  return [...lines, "", heading("Commands"), ...rows]
}

function wrapped(text: string, indent: string): string[] {
  const lines = [indent]
  for (const word of text.split(" ")) {
    const line = lines.at(-1) ?? ""
    if (line.length + word.length + 1 > WIDTH) lines.push(indent + word)
    else lines[lines.length - 1] = line === indent ? line + word : `${line} ${word}`
  }
  return lines
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
