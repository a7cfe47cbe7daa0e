/** `bunlb health`: one line and an exit code, for container health checks and scripts. */
import type { Settings } from "../config/schema/settings.ts"
import { BunlbError } from "../core/errors.ts"
import { adminOption, askAdmin } from "./admin-client.ts"
import { command } from "./command.ts"
import { readOptions, type OptionsOf } from "./flags.ts"
import { jsonOption, printJson } from "./json.ts"

interface HealthOptions {
  readonly admin: Settings["admin"]
  readonly json: boolean
}

const options: OptionsOf<HealthOptions> = { admin: adminOption, json: jsonOption }

export const health = command({
  name: "health",
  description: "Ask a running bunlb whether it serves: exit code 0 or 1",
  usage: "health [--json] [--admin ADDRESS]",
  flags: Object.values(options),
  async run(typed, terminal) {
    const { admin, json } = readOptions(typed, options)
    const { status, body } = await askAdmin(admin, "/health")
    const reason = (body.split("\n")[0] ?? "").slice(0, 200)
    if (json) {
      printJson(terminal, { healthy: status === 200, status, reason })
      return status === 200 ? 0 : 1
    }
    if (status !== 200) throw new BunlbError("BUNLB_E_UNHEALTHY", `unhealthy: ${reason || status}`)
    terminal.out(
      `${terminal.paint("green", "healthy")}${reason === "" || reason === "ok" ? "" : `: ${reason}`}`,
    )
    return 0
  },
})
