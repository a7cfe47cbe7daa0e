/** `bunlb explain`: which backend a request would get now, and why not the others. */
import type { Settings } from "../config/settings.ts"
import { optional, text } from "../config/value-types.ts"
import type { Explanation } from "../fleet/explain.ts"
import { BunlbError } from "../observe/errors.ts"
import { adminOption, askAdmin } from "./admin-client.ts"
import { command } from "./command.ts"
import { readOptions, type OptionsOf } from "./flags.ts"
import { table } from "./table.ts"

interface ExplainOptions {
  readonly admin: Settings["admin"]
  readonly cookie: string | null
}

const options: OptionsOf<ExplainOptions> = {
  admin: adminOption,
  cookie: {
    name: "cookie",
    type: optional(text(/^[\x21-\x7e]{1,200}$/, "the value of a cookie", "VALUE"), "none"),
    group: "Flags",
    help: "Value of the sticky cookie that the request brings",
    default: null,
    defaultText: "none",
  },
}

export const explain = command({
  name: "explain",
  description: "Say which backend a request would get now, and why not the others",
  usage: "explain [--cookie VALUE] [--admin ADDRESS]",
  flags: Object.values(options),
  async run(typed, terminal) {
    const { admin, cookie } = readOptions(typed, options)
    const query = cookie === null ? "" : `?cookie=${encodeURIComponent(cookie)}`
    const { status, body } = await askAdmin(admin, `/api/v1/explain${query}`)
    if (status !== 200) {
      const message = `the admin address answered ${status} and no explanation: is it bunlb's?`
      throw new BunlbError("BUNLB_E_ADMIN_UNREACHABLE", message)
    }
    const { strategy, verdicts } = JSON.parse(body) as Explanation
    const rows = verdicts.map(({ backend, share, why }) => [backend, percent(share), why])
    terminal.out(`strategy ${strategy}`)
    terminal.out(table(["BACKEND", "REQUESTS", "WHY"], rows))
    return 0
  },
})

function percent(share: number): string {
  return share === 0 ? "none" : `${Math.round(share * 1000) / 10}%`
}
