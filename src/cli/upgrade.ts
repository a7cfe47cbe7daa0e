/** `bunlb upgrade`: has the executable that is now on disk take over from the one that runs. */
import { askForChange, changeFlags, wantsJson } from "./change.ts"
import { command } from "./command.ts"
import { printJson } from "./json.ts"

export const upgrade = command({
  name: "upgrade",
  description: "Hot-swap to the executable on disk; nothing in flight is dropped",
  usage: "upgrade [--json] [--admin ADDRESS]",
  flags: changeFlags,
  async run(typed, terminal) {
    const outcome = await askForChange(typed, terminal, "/api/v1/upgrade")
    if (wantsJson(typed)) {
      printJson(terminal, outcome)
      return 0
    }
    const { changes } = outcome
    for (const line of changes) terminal.out(line)
    return 0
  },
})
