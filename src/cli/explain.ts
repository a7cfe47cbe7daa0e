/** `bunlb explain`: which backend a request would get now, and why not the others. */
import { DEFAULT_NAME } from "../config/schema/pools.ts"
import type { Settings } from "../config/schema/settings.ts"
import { questionTypes, type Explanation, type Question } from "../master/control/explain.ts"
import { BunlbError } from "../core/errors.ts"
import { adminOption, askAdmin } from "./admin-client.ts"
import { command } from "./command.ts"
import { readOptions, type Option, type OptionsOf } from "./flags.ts"
import { jsonOption, printJson } from "./json.ts"
import { table } from "./table.ts"

interface ExplainOptions extends Required<Question> {
  readonly admin: Settings["admin"]
  readonly json: boolean
}

function about(name: keyof Question, help: string, defaultText: string): Option<string | null> {
  return { name, type: questionTypes[name], group: "Flags", help, default: null, defaultText }
}

const options: OptionsOf<ExplainOptions> = {
  admin: adminOption,
  json: jsonOption,
  cookie: about("cookie", "Value of the sticky cookie that the request brings", "none"),
  host: about("host", "Host that the request names; bunlb routes by none", "any"),
  path: about("path", "Path that the request asks for; bunlb routes by none", "any"),
  listener: about("listener", "Listener that the request comes to", "default, or the first one"),
  pool: about("pool", "Pool, in place of the listener that sends requests to it", "the listener's"),
}

export const explain = command({
  name: "explain",
  description: "Say which backend a request would get now, and why not the others",
  usage: "explain [--listener NAME | --pool NAME] [--cookie VALUE] [--json] [--admin ADDRESS]",
  flags: Object.values(options),
  async run(typed, terminal) {
    const { admin, json, ...question } = readOptions(typed, options)
    const asked = Object.entries(question).flatMap(([name, value]) =>
      value === null ? [] : [`${name}=${encodeURIComponent(value)}`],
    )
    const query = asked.length === 0 ? "" : `?${asked.join("&")}`
    const { status, body } = await askAdmin(admin, `/api/v1/explain${query}`)
    if (status === 400 || status === 404) throw refusedBy(body)
    if (status !== 200) {
      const message = `the admin address answered ${status} and no explanation: is it bunlb's?`
      throw new BunlbError("BUNLB_E_ADMIN_UNREACHABLE", message)
    }
    const explanation = JSON.parse(body) as Explanation
    if (json) {
      printJson(terminal, explanation)
      return 0
    }
    const { pool = DEFAULT_NAME, strategy, note, verdicts } = explanation
    const rows = verdicts.map(({ backend, share, why }) => [backend, percent(share), why])
    terminal.out(`${pool === DEFAULT_NAME ? "" : `pool ${pool}, `}strategy ${strategy}`)
    if (note !== undefined) terminal.out(note)
    const colours = { paint: terminal.paint, style: () => null }
    terminal.out(table(["BACKEND", "REQUESTS", "WHY"], rows, [], colours))
    return 0
  },
})

/** What the admin listener has against the question. */
function refusedBy(body: string): BunlbError {
  const { error } = JSON.parse(body) as { readonly error: { readonly message: string } }
  return new BunlbError("BUNLB_E_REFUSED", error.message)
}

function percent(share: number): string {
  return share === 0 ? "none" : `${Math.round(share * 1000) / 10}%`
}
