/** A command of bunlb: a citty command whose words are read by our own strict reader. */
import { defineCommand, type CommandDef } from "citty"
import { readFlags, type Flag, type Typed } from "./flags.ts"
import { helpPage, type CommandLine } from "./help.ts"
import type { Terminal } from "./terminal.ts"

/** What the command line hands to a command it runs. */
export interface CommandContext {
  readonly terminal: Terminal
  /** Listed in the help of the default command. */
  readonly commands: readonly CommandLine[]
  /** Names of all commands. */
  readonly names: readonly string[]
}

export interface CommandSpec {
  readonly name: string
  readonly description: string
  readonly usage: string
  readonly flags: readonly Flag[]
  /** What the words that are no flags stand for: `BACKEND`. */
  readonly words?: readonly string[]
  readonly examples?: readonly string[]
  /** Resolves with the exit code. */
  run(typed: Typed, terminal: Terminal): Promise<number>
}

export function command(spec: CommandSpec): CommandDef {
  const { name, description, examples = [] } = spec
  return defineCommand({
    meta: { name, description },
    async run({ rawArgs, data }) {
      const { terminal, commands, names } = data as CommandContext
      const typed = readFlags(rawArgs, spec.flags, spec.words, spec.usage, names)
      if (!typed.help) return await spec.run(typed, terminal)
      terminal.out(helpPage({ ...spec, examples }, commands, terminal.paint))
      return 0
    },
  })
}
