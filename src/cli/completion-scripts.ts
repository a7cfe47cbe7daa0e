/** What the three shells want to hear of commands and flags. Pure text from descriptions. */
import type { CommandSpec } from "./command.ts"
import type { Flag } from "./flags.ts"

/** The words that a value can be, or an empty list. */
function choicesOf({ type }: Flag): readonly string[] {
  return /^[\w-]+(\|[\w-]+)+$/.test(type.placeholder) ? type.placeholder.split("|") : []
}

/** Its value is the name of a file. */
function isFile({ type }: Flag): boolean {
  return /FILE|PATH|FOLDER/.test(type.placeholder)
}

function takesValue({ type }: Flag): boolean {
  return type.kind !== "boolean"
}

function longNames({ name, alias, type }: Flag): string[] {
  const names = alias === undefined ? [name] : [name, alias]
  return [...names, ...(type.kind === "boolean" ? [`no-${name}`] : [])].map((each) => `--${each}`)
}

const HELP = ["--help"]

export function bashScript(all: readonly CommandSpec[]): string {
  const names = all.map(({ name }) => name).join(" ")
  const commands = all.map(({ name, flags, choices = [] }) => {
    const words = [...flags.flatMap(longNames), ...shorts(flags), ...HELP, ...choices]
    return `    ${name}) words="${words.join(" ")}" ;;`
  })
  const values = all.flatMap(({ name, flags }) =>
    flags.filter(takesValue).map((flag) => {
      const patterns = [...longNames(flag), ...shorts([flag])].map((each) => `${name}:${each}`)
      const choices = choicesOf(flag)
      const reply = isFile(flag)
        ? 'COMPREPLY=($(compgen -f -- "$current"))'
        : `COMPREPLY=($(compgen -W "${choices.join(" ")}" -- "$current"))`
      return `    ${patterns.join(" | ")}) ${reply}; return ;;`
    }),
  )
  return `# bash completion for bunlb: source it, or put it into /etc/bash_completion.d/bunlb.
_bunlb() {
  local current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} command=run words=
  COMPREPLY=()
  # bash splits --flag=value at the sign.
  if [[ $current == "=" ]]; then current=; elif [[ $before == "=" ]]; then before=\${COMP_WORDS[COMP_CWORD-2]}; fi
  case \${COMP_WORDS[1]} in
    ${all.map(({ name }) => name).join(" | ")}) if ((COMP_CWORD > 1)); then command=\${COMP_WORDS[1]}; fi ;;
  esac
  case "$command:$before" in
${values.join("\n")}
  esac
  case $command in
${commands.join("\n")}
  esac
  if ((COMP_CWORD == 1)); then words="${names} help $words"; fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _bunlb bunlb`
}

function shorts(flags: readonly Flag[]): string[] {
  return flags.flatMap(({ short }) => (short === undefined ? [] : [`-${short}`]))
}

export function zshScript(all: readonly CommandSpec[]): string {
  const list = all.map(({ name, description }) => `    ${zshWord(`${name}:${description}`)}`)
  const cases = all.map(({ name, flags, choices = [], words = [] }) => {
    const specs = flags.flatMap(zshFlag)
    if (choices.length > 0) specs.push(zshWord(`1:value:(${choices.join(" ")})`))
    else if (words.includes("[FILE]")) specs.push("'1:file:_files'")
    return [
      `    ${name})`,
      `      _arguments \\`,
      ...specs.map((spec) => `        ${spec} \\`),
      "        '--help[Show the help]'",
      "      ;;",
    ].join("\n")
  })
  return `#compdef bunlb
_bunlb() {
  local command=run
  local -a commands
  commands=(
${list.join("\n")}
  )
  if ((CURRENT == 2)) && [[ $words[2] != -* ]]; then
    _describe command commands
    return
  fi
  if [[ -n $words[2] && $words[2] != -* ]]; then
    command=$words[2]
    shift words
    ((CURRENT--))
  fi
  case $command in
${cases.join("\n")}
  esac
}
_bunlb "$@"`
}

function zshFlag(flag: Flag): string[] {
  const many = flag.type.kind === "list" ? "*" : ""
  const about = flag.help.replaceAll(/[[\]\\]/g, "\\$&")
  const choices = choicesOf(flag)
  const action = isFile(flag) ? "_files" : choices.length > 0 ? `(${choices.join(" ")})` : " "
  const value = takesValue(flag) ? `:value:${action}` : ""
  return [...longNames(flag), ...shorts([flag])].map((name) => {
    // A long flag takes its value behind a blank or a sign.
    const sign = value !== "" && name.startsWith("--") ? "=" : ""
    return zshWord(`${many}${name}${sign}[${about}]${value}`)
  })
}

/** In single quotes. */
function zshWord(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

export function fishScript(all: readonly CommandSpec[]): string {
  const names = all.map(({ name }) => name).join(" ")
  const lines = ["# fish completion for bunlb", "complete -c bunlb -f"]
  for (const { name, description, flags, choices = [] } of all) {
    lines.push(`complete -c bunlb -n __fish_use_subcommand -a ${name} -d ${fishWord(description)}`)
    const when =
      name === "run"
        ? `not __fish_seen_subcommand_from ${names.replace("run ", "")}`
        : `__fish_seen_subcommand_from ${name}`
    for (const choice of choices) {
      lines.push(`complete -c bunlb -n ${fishWord(when)} -a ${choice}`)
    }
    for (const flag of flags) lines.push(...fishFlag(flag, when))
  }
  return lines.join("\n")
}

function fishFlag(flag: Flag, when: string): string[] {
  const choices = choicesOf(flag)
  const value = isFile(flag) ? " -r -F" : takesValue(flag) ? " -x" : ""
  const words = choices.length > 0 ? ` -a ${fishWord(choices.join(" "))}` : ""
  return longNames(flag).map((name, index) => {
    const short = index === 0 && flag.short !== undefined ? ` -s ${flag.short}` : ""
    const long = ` -l ${name.slice(2)}`
    const about = ` -d ${fishWord(flag.help)}`
    return `complete -c bunlb -n ${fishWord(when)}${short}${long}${value}${words}${about}`
  })
}

/** In single quotes, as fish reads them. */
function fishWord(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`
}
