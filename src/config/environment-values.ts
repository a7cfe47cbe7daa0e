/**
 * Settings from the environment: `health.interval` is BUNLB_HEALTH_INTERVAL, and a list has spaces
 * between its entries. An empty variable says nothing, as compose files and units write one for
 * "not set".
 *
 * Kubernetes gives the pods beside a Service named bunlb variables such as
 * BUNLB_PORT=tcp://10.0.0.1:80 and BUNLB_SERVICE_HOST: they are about that Service and not for us.
 */
import type { Environment } from "./environment.ts"
import { schema, settingRows } from "./schema.ts"
import type { SettingKey } from "./setting.ts"
import { nearest } from "./spelling.ts"

const PREFIX = "BUNLB_"

/** Names the configuration file where no flag does. */
export const CONFIG_VARIABLE = "BUNLB_CONFIG"

/** Near to a setting's name and not meant to be one: a master says by it what its child is. */
const OWN = ["BUNLB_WORKER", "BUNLB_HEIR"]
const SERVICE_NAME = /^BUNLB_(.*_)?(SERVICE_|PORT_\d+_)/
const SERVICE_VALUE = /^(tcp|udp|sctp):\/\//

export function variableName(key: SettingKey): string {
  return PREFIX + key.replace(".", "_").toUpperCase()
}

/**
 * Puts what is sound into `values` and a line for each fault into `faults`; returns what was said,
 * with the name of its variable.
 */
export function readVariables(
  environment: Environment,
  values: Map<SettingKey, unknown>,
  faults: string[],
): readonly (readonly [SettingKey, string])[] {
  const said: (readonly [SettingKey, string])[] = []
  for (const { key, setting } of settingRows) {
    const name = variableName(key)
    const text = environment[name]?.trim() ?? ""
    if (text === "" || SERVICE_VALUE.test(text)) continue
    said.push([key, name])
    const input = setting.type.kind === "list" ? text.split(/\s+/) : text
    const value = schema[key].type.read(input, (message, at = "") => {
      faults.push(`environment: ${name}${at}: ${message}`)
      return undefined
    })
    if (value !== undefined) values.set(key, value)
  }
  faults.push(...misspelt(environment))
  return said
}

/** What is near to a setting's name was meant to be one; other names are somebody else's business. */
function misspelt(environment: Environment): readonly string[] {
  const known = settingRows.map(({ key }) => variableName(key).slice(PREFIX.length))
  return Object.entries(environment).flatMap(([name, text = ""]) => {
    const word = name.slice(PREFIX.length)
    const ours = name.startsWith(PREFIX) && name !== CONFIG_VARIABLE && !OWN.includes(name)
    if (!ours || known.includes(word)) return []
    if (SERVICE_NAME.test(name) || SERVICE_VALUE.test(text)) return []
    const meant = nearest(word, known)
    return meant === null
      ? []
      : [`environment: ${name}: unknown name, did you mean ${PREFIX}${meant}?`]
  })
}
