/** A command of bunlb: a citty command whose words are read by our own strict reader. */
import { defineCommand, type CommandDef } from "citty"
import { readFlags, usageError, type Flag, type Typed } from "./flags.ts"
import { groupNamed, helpPage, shortHelp, type CommandLine } from "./help.ts"
import type { Terminal } from "./terminal.ts"

/** What the command line hands to a command it runs. */
export interface CommandContext {
  readonly terminal: Terminal
  /** Listed in the help of the default command. */
  readonly commands: readonly CommandLine[]
  /** Names of all commands. */
  readonly names: readonly string[]
  /** Descriptions of all commands, for what is made from them. */
  readonly all: () => Promise<readonly CommandSpec[]>
}

export interface CommandSpec {
  readonly name: string
  readonly description: string
  readonly usage: string
  readonly flags: readonly Flag[]
  /** What the words that are no flags stand for: `BACKEND`; `BACKEND...` for one or more, as the last. */
  readonly words?: readonly string[]
  /** Values that such a word can have, for completion. */
  readonly choices?: readonly string[]
  readonly examples?: readonly string[]
  /** Flags that most people need, where there are too many for one page; the others have pages of their own. */
  readonly everyday?: readonly string[]
  /** Resolves with the exit code. */
  run(typed: Typed, terminal: Terminal, context: CommandContext): Promise<number>
}

const specs = new WeakMap<object, CommandSpec>()

export function command(spec: CommandSpec): CommandDef {
  const { name, description } = spec
  const made = defineCommand({
    meta: { name, description },
    async run({ rawArgs, data }) {
      const context = data as CommandContext
      const typed = readFlags(rawArgs, spec.flags, spec.words, spec.usage, context.names)
      if (!typed.help) return await spec.run(typed, context.terminal, context)
      context.terminal.out(helpOf(spec, typed.topic, context))
      return 0
    },
  })
  specs.set(made, spec)
  return made
}

/** What a command was made of. */
export function specOf(made: CommandDef): CommandSpec {
  const spec = specs.get(made)
  if (spec === undefined) throw new TypeError("a command that was not made by command()")
  return spec
}

function helpOf(
  spec: CommandSpec,
  topic: string | null,
  { commands, terminal }: CommandContext,
): string {
  const help = { ...spec, examples: spec.examples ?? [] }
  if (topic === null && spec.everyday !== undefined) {
    return shortHelp(help, spec.everyday, commands, terminal.paint)
  }
  if (topic === null || topic === "all") return helpPage(help, commands, terminal.paint)
  const group = groupNamed(spec.flags, topic)
  if (group === null) {
    throw usageError(`no help on ${JSON.stringify(topic)}, see: bunlb ${spec.name} --help`)
  }
  const flags = spec.flags.filter((flag) => flag.group === group)
  return helpPage({ ...help, flags, examples: [] }, [], terminal.paint)
}
