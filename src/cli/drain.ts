/** `bunlb drain BACKEND...`: no new requests for these backends; `--wait` until nothing of them is left. */
import type { Milliseconds, Settings } from "../config/schema/settings.ts"
import { isMeant } from "../config/schema/pools.ts"
import { boolean, duration } from "../config/schema/value-types.ts"
import { LINGERING, type BackendStatus, type FleetStatus } from "../master/figures/status.ts"
import { BunlbError } from "../core/errors.ts"
import { adminOption, askAdmin } from "./admin-client.ts"
import { backendFlags, backendPath, changeByHand, wantsJson } from "./change.ts"
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
    help: "Come back when nothing is in flight, and tell how much still is",
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
/** What has not changed is told again after this time, so that a person sees that it still waits. */
const TELL_MS: Milliseconds = 5_000

export const drain = command({
  name: "drain",
  description: "Send backends no new requests; what is in flight ends",
  usage: "drain BACKEND... [--wait] [--grace DURATION] [--save] [--json] [--admin ADDRESS]",
  words: ["BACKEND..."],
  flags: [...Object.values(options), ...backendFlags],
  examples: [
    "bunlb drain 10.0.0.1:8080 --wait",
    "bunlb drain 10.0.0.1:8080 10.0.0.2:8080",
    "bunlb drain api/10.0.0.1:8080",
    "bunlb enable 10.0.0.1:8080",
  ],
  async run(typed, terminal) {
    const { wait, grace } = readOptions(typed, options)
    const { admin } = readOptions(typed, { admin: adminOption })
    const wanted = typed.words.map((name) => ({
      path: backendPath(name, "drain"),
      body: { grace },
    }))
    await changeByHand(typed, terminal, wanted)
    if (wait) await waitFor(admin, typed.words, wantsJson(typed) ? () => {} : terminal.out)
    return 0
  },
})

/** Tells the number in flight when it changes, until nothing is. */
async function waitFor(
  admin: Settings["admin"],
  names: readonly string[],
  tell: (line: string) => void,
): Promise<void> {
  let told = ""
  let toldAt = Number.NEGATIVE_INFINITY
  for (;;) {
    const { body } = await askAdmin(admin, "/api/v1/status")
    const fleet = JSON.parse(body) as FleetStatus
    const waiting = names.flatMap((name) => {
      const rows = rowsOf(fleet, name)
      const active = rows.reduce((sum, row) => sum + row.active, 0)
      const lingers = rows.some(({ reason }) => reason === LINGERING)
      return active > 0 || lingers ? [{ name, active }] : []
    })
    if (waiting.length === 0) {
      tell("drained: nothing is in flight")
      return
    }
    const line =
      names.length === 1
        ? `draining: ${waiting[0]?.active ?? 0} in flight`
        : `draining: ${waiting.map(({ name, active }) => `${name} ${active}`).join(", ")} in flight`
    if (line !== told || performance.now() - toldAt > TELL_MS) {
      told = line
      toldAt = performance.now()
      tell(line)
    }
    await Bun.sleep(LOOK_MS)
  }
}

/** One that is discovered has a row for each member, or none; `HOST:PORT` has one in each pool. */
function rowsOf({ backends, discovered = [] }: FleetStatus, name: string): BackendStatus[] {
  const asked = name.toLowerCase()
  const rows = backends.filter(({ name: label, of = label }) => {
    return isMeant(asked, label) || isMeant(asked, of)
  })
  const isThere = rows.length > 0 || discovered.some((each) => isMeant(asked, each.name))
  if (isThere && rows.every(({ state }) => state === "draining")) return rows
  throw new BunlbError("BUNLB_E_REFUSED", `backend ${name} no longer drains`)
}
