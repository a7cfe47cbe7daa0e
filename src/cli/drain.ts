/** `bunlb drain BACKEND`: no new requests for one backend; `--wait` until nothing of it is left. */
import type { Milliseconds } from "../config/settings.ts"
import { boolean, duration } from "../config/value-types.ts"
import { LINGERING, type BackendStatus, type FleetStatus } from "../fleet/status.ts"
import { BunlbError } from "../observe/errors.ts"
import { adminOption, askAdmin } from "./admin-client.ts"
import { backendFlags, backendPath, changeByHand } from "./change.ts"
import { command } from "./command.ts"
import { readOptions, type OptionsOf } from "./flags.ts"

interface DrainOptions {
  readonly wait: boolean
  readonly grace: Milliseconds
}

const options: OptionsOf<DrainOptions> = {
  wait: {
    name: "wait",
    type: boolean,
    group: "Flags",
    help: "Come back when it has nothing in flight",
    default: false,
    defaultText: "false",
  },
  grace: {
    name: "grace",
    type: duration(0, 86_400_000),
    group: "Flags",
    help: "How long clients whose sticky cookie names it still get it",
    default: 0,
    defaultText: "0",
  },
}

const LOOK_MS: Milliseconds = 200
const TELL_MS: Milliseconds = 5_000

export const drain = command({
  name: "drain",
  description: "Send a backend no new requests; what is in flight ends",
  usage: "drain BACKEND [--wait] [--grace DURATION] [--save] [--admin ADDRESS]",
  words: ["BACKEND"],
  flags: [...Object.values(options), ...backendFlags],
  examples: ["bunlb drain 10.0.0.1:8080 --wait", "bunlb enable 10.0.0.1:8080"],
  async run(typed, terminal) {
    const { wait, grace } = readOptions(typed, options)
    const { admin } = readOptions(typed, { admin: adminOption })
    const [name = ""] = typed.words
    await changeByHand(typed, terminal, backendPath(name, "drain"), { grace })
    let toldAt = performance.now()
    for (let waiting = wait; waiting;) {
      const { body } = await askAdmin(admin, "/api/v1/status")
      const rows = rowsOf(JSON.parse(body) as FleetStatus, name)
      const active = rows.reduce((sum, row) => sum + row.active, 0)
      waiting = active > 0 || rows.some(({ reason }) => reason === LINGERING)
      if (!waiting) terminal.out("drained: nothing is in flight")
      else if (performance.now() - toldAt > TELL_MS) {
        toldAt = performance.now()
        terminal.out(`draining: ${active} in flight`)
      }
      if (waiting) await Bun.sleep(LOOK_MS)
    }
    return 0
  },
})

/** One that is discovered has a row for each member, or none. */
function rowsOf({ backends, discovered = [] }: FleetStatus, name: string): BackendStatus[] {
  const asked = name.toLowerCase()
  const rows = backends.filter((each) => each.name === asked || each.of === asked)
  const isThere = rows.length > 0 || discovered.some((each) => each.name === asked)
  if (isThere && rows.every(({ state }) => state === "draining")) return rows
  throw new BunlbError("BUNLB_E_REFUSED", `backend ${name} no longer drains`)
}
