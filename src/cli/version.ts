/** `bunlb version`, also `--version`, `-v` and `-V`. */
import { boolean } from "../config/schema/value-types.ts"
import { commit, commitDate, version as number } from "../core/version.ts"
import { command } from "./command.ts"
import { readOptions, type OptionsOf } from "./flags.ts"
import { jsonOption, printJson } from "./json.ts"

const options: OptionsOf<{ readonly verbose: boolean; readonly json: boolean }> = {
  verbose: {
    name: "verbose",
    type: boolean,
    group: "Flags",
    help: "The commit, the platform and the kind of sockets as well",
    default: false,
    defaultText: "false",
  },
  json: jsonOption,
}

export const version = command({
  name: "version",
  description: "Print the version",
  usage: "version [--verbose] [--json]",
  flags: Object.values(options),
  async run(typed, terminal) {
    const { verbose, json } = readOptions(typed, options)
    if (!verbose && !json) {
      terminal.out(`bunlb ${number} (bun ${Bun.version})`)
      return 0
    }
    const { canBeDirect } = await import("../net/linux/poller.ts")
    const sockets = canBeDirect() ? "direct" : "bun"
    const platform = `${process.platform} ${process.arch}`
    const facts = { commit, date: commitDate, platform, sockets }
    if (json) {
      printJson(terminal, { version: number, bun: Bun.version, ...facts })
      return 0
    }
    terminal.out(`bunlb ${number} (bun ${Bun.version})`)
    for (const [name, value] of Object.entries(facts)) terminal.out(`${name} ${value}`)
    return 0
  },
})
