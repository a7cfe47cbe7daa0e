/** `bunlb upgrade`: has the executable that is now on disk take over from the one that runs. */
import { askForChange, changeFlags } from "./change.ts"
import { command } from "./command.ts"

export const upgrade = command({
  name: "upgrade",
  description: "Have the executable now on disk take over; nothing in flight is dropped",
  usage: "upgrade [--admin ADDRESS]",
  flags: changeFlags,
  async run(typed, terminal) {
    const { changes } = await askForChange(typed, terminal, "/api/v1/upgrade")
    for (const line of changes) terminal.out(line)
    return 0
  },
})
