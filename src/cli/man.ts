/** `bunlb man`: the manual page, made from the same descriptions as the help. */
import { settingRows } from "../config/schema/schema.ts"
import { commitDate, version } from "../core/version.ts"
import { command, type CommandSpec } from "./command.ts"
import type { Flag } from "./flags.ts"

export const man = command({
  name: "man",
  description: "Print the manual page, for man(1)",
  usage: "man",
  flags: [],
  examples: ["bunlb man > bunlb.1 && man ./bunlb.1"],
  async run(_typed, terminal, { all }) {
    terminal.out(manualPage(await all()))
    return 0
  },
})

const EXIT_CODES: readonly (readonly [string, string])[] = [
  ["0", "Fine."],
  ["1", "Failed: something in the world must change."],
  ["2", "A mistake in flags, environment or file."],
]

const SIGNALS: readonly (readonly [string, string])[] = [
  [
    "SIGTERM, SIGINT",
    "Drain: requests in flight end, then bunlb stops. A second one stops at once.",
  ],
  ["SIGHUP", "Read the configuration again."],
  ["SIGUSR1", "Open the access log again."],
  ["SIGUSR2", "Hot-swap to the executable on disk."],
]

function manualPage(all: readonly CommandSpec[]): string {
  const run = all.find(({ name }) => name === "run")
  const others = all.filter(({ name }) => name !== "run")
  const date = /^\d{4}-\d\d-\d\d/.exec(commitDate)?.[0] ?? ""
  const lines = [
    `.TH BUNLB 1 "${date}" "bunlb ${version}" "User Commands"`,
    ".SH NAME",
    "bunlb \\- HTTP load balancer",
    ".SH SYNOPSIS",
    ...all.flatMap(({ usage }) => [".B bunlb", text(usage), ".br"]).slice(0, -1),
    ".SH DESCRIPTION",
    text("bunlb spreads HTTP requests over backends, notices when one of them fails, and goes on"),
    text("without it. Settings come from a file, from the environment and from flags; what comes"),
    text("later in this list wins."),
    ".SH COMMANDS",
    ...all.flatMap(({ name, description }) => item(name, `${description}.`)),
    ".SH OPTIONS",
    ...(run === undefined ? [] : groupedFlags(run.flags)),
    ".SH OPTIONS OF OTHER COMMANDS",
    ...others.flatMap(ownFlags(run?.flags ?? [])),
    ".SH ENVIRONMENT",
    text("Every setting has a variable: BUNLB_ and the name of its key in capitals, such as"),
    text(
      "BUNLB_PORT or BUNLB_HEALTH_INTERVAL. BUNLB_CONFIG names the file. NO_COLOR, FORCE_COLOR,",
    ),
    text("CLICOLOR and TERM=dumb decide about colour."),
    ".SH FILES",
    text(`A .yaml, .toml or .json file, named by -c. Keys: ${settingRows.length} settings;`),
    text("`bunlb init` writes one with all of them, `bunlb schema` prints its JSON Schema."),
    ".SH SIGNALS",
    ...SIGNALS.flatMap(([name, meaning]) => item(name, meaning)),
    ".SH EXIT STATUS",
    ...EXIT_CODES.flatMap(([code, meaning]) => item(code, meaning)),
    ".SH EXAMPLES",
    ...all.flatMap(({ examples = [] }) => examples).flatMap((line) => [".PP", text(line)]),
  ]
  return lines.join("\n")
}

function groupedFlags(flags: readonly Flag[]): string[] {
  return [...new Set(flags.map(({ group }) => group))].flatMap((group) => [
    `.SS ${text(group)}`,
    ...flags.filter((flag) => flag.group === group).flatMap(flagItem),
  ])
}

/** Those that `run` does not have as well. */
function ownFlags(known: readonly Flag[]): (spec: CommandSpec) => string[] {
  return ({ name, flags }) => {
    const own = flags.filter((flag) => !known.includes(flag))
    return own.length === 0 ? [] : [`.SS bunlb ${name}`, ...own.flatMap(flagItem)]
  }
}

function flagItem({ name, short, alias, type, help, defaultText }: Flag): string[] {
  const no = type.kind === "boolean" && defaultText === "true" ? "[no-]" : ""
  const names = [short && `-${short}`, `--${no}${name}`, alias && `--${alias}`].filter(Boolean)
  const value = type.placeholder === "" ? "" : ` ${type.placeholder}`
  return item(`${names.join(", ")}${value}`, `${help}. Default: ${defaultText}.`)
}

function item(tag: string, meaning: string): string[] {
  return [".TP", `.B ${text(tag)}`, text(meaning)]
}

/** As roff shows it: a backslash and a dash as they are, no dot or quote at the start taken for a request. */
function text(words: string): string {
  return words
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replace(/^([.'])/, "\\&$1")
}
