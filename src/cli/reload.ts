/** `bunlb reload`: has a running bunlb read its configuration again, or say what that would change. */
import { boolean } from "../config/schema/value-types.ts"
import { askForChange, changeFlags, wantsJson } from "./change.ts"
import { command } from "./command.ts"
import type { Option } from "./flags.ts"
import { printJson } from "./json.ts"

const dryRun: Option<boolean> = {
  name: "dry-run",
  type: boolean,
  group: "Flags",
  help: "Only print what would change",
  default: false,
  defaultText: "false",
}

export const reload = command({
  name: "reload",
  description: "Have a running bunlb read its configuration again; nothing in flight is dropped",
  usage: "reload [--dry-run] [--json] [--admin ADDRESS]",
  flags: [...changeFlags, dryRun],
  async run(typed, terminal) {
    const dry = typed.values.get(dryRun.name) === true
    const outcome = await askForChange(typed, terminal, "/api/v1/reload", { dry_run: dry })
    if (wantsJson(typed)) {
      printJson(terminal, outcome)
      return 0
    }
    const { changes, restart, byHand } = outcome
    for (const line of changes) terminal.out(line)
    const warning = terminal.paintComplaint("yellow", "warning:")
    for (const line of restart) terminal.complain(`${warning} ${line}`)
    for (const line of byHand) terminal.out(`by hand, in no file: ${line}`)
    const number = changes.length === 1 ? "1 change" : `${changes.length || "no"} changes`
    terminal.out(dry ? `would be applied: ${number}` : `reloaded: ${number}`)
    return 0
  },
})
