/**
 * Settings from the environment: `health.interval` is BUNLB_HEALTH_INTERVAL, and a list has spaces
 * between its entries. An empty variable says nothing, as compose files and units write one for
 * "not set".
 *
 * Kubernetes gives the pods beside a Service named bunlb variables such as
 * BUNLB_PORT=tcp://10.0.0.1:80 and BUNLB_SERVICE_HOST: they are about that Service and not for us.
 */
import { entriesIn, isLikeBackend } from "./schema/backend-advice.ts"
import type { Environment } from "./environment.ts"
import { foreignAdvice } from "./schema/foreign-words.ts"
import { schema, settingRows } from "./schema/schema.ts"
import type { Refuse, SettingKey } from "./schema/setting.ts"
import { nearest, nearestByWords } from "./schema/spelling.ts"

const PREFIX = "BUNLB_"

/** Names the configuration file where no flag does. */
export const CONFIG_VARIABLE = "BUNLB_CONFIG"

/** Set by a master for its children, and by the tests for themselves. */
const OWN = /^BUNLB_(WORKER|HEIR|HELD_LISTENERS|START_FOLDER|TEST_.*)$/
/** In the environment of a bunlb that takes over from another in an upgrade. */
const HEIR_VARIABLE = "BUNLB_HEIR"
const SERVICE_NAME = /^BUNLB_(.*_)?(SERVICE_|PORT_\d+_)/
const SERVICE_VALUE = /^(tcp|udp|sctp):\/\//

export function variableName(key: SettingKey): string {
  return PREFIX + key.replace(".", "_").toUpperCase()
}

const variables: ReadonlySet<string> = new Set(settingRows.map(({ key }) => variableName(key)))

/**
 * Puts what is sound into `values` and a line for each fault into `faults`; returns what was said,
 * with the name of its variable.
 */
export function readVariables(
  environment: Environment,
  values: Map<SettingKey, unknown>,
  faults: string[],
  /** Names that the file takes values from. */
  used: ReadonlySet<string> = new Set(),
): readonly (readonly [SettingKey, string])[] {
  const said: (readonly [SettingKey, string])[] = []
  for (const { key, setting } of settingRows) {
    const name = variableName(key)
    const text = environment[name]?.trim() ?? ""
    if (text === "" || SERVICE_VALUE.test(text)) continue
    said.push([key, name])
    const entries = text.split(/\s+/)
    const several = severalInOne(key, entries)
    if (several !== null) {
      faults.push(`environment: ${name}: ${several}`)
      continue
    }
    const { type } = schema[key]
    const refuse: Refuse = (message, at = "") =>
      void faults.push(`environment: ${name}${at}: ${message}`)
    const input = setting.type.kind === "list" ? entries : text
    const value = type.readWords ? type.readWords(entries, refuse) : type.read(input, refuse)
    if (value !== undefined) values.set(key, value)
  }
  faults.push(...unknown(environment, used))
  return said
}

/** A variable that begins with BUNLB_ and is no setting was meant to be one. */
function unknown(environment: Environment, used: ReadonlySet<string>): readonly string[] {
  // The other one may be of a version that tells its successor what this one does not know.
  if (environment[HEIR_VARIABLE] !== undefined) return []
  return Object.entries(environment).flatMap(([name, text = ""]) => {
    const ours = name.startsWith(PREFIX) && name !== CONFIG_VARIABLE && !OWN.test(name)
    if (!ours || variables.has(name) || used.has(name) || text.trim() === "") return []
    if (SERVICE_NAME.test(name) || SERVICE_VALUE.test(text)) return []
    return [`environment: ${name}: unknown name${adviceOn(name)}`]
  })
}

function adviceOn(name: string): string {
  const word = name.slice(PREFIX.length)
  const byFlag = settingRows.find(({ flag }) => flag.replaceAll("-", "_").toUpperCase() === word)
  const names = [...variables].map((each) => each.slice(PREFIX.length))
  const near = byFlag === undefined ? nearest(word, names) : null
  const foreign = foreignAdvice(word, (key) => {
    const found = variableName(key as SettingKey)
    return variables.has(found) ? found : null
  })
  if (near === null && foreign !== null) return foreign
  const meant = byFlag ? variableName(byFlag.key) : PREFIX + (near ?? nearestByWords(word, names))
  if (meant !== `${PREFIX}null`) return `, did you mean ${meant}?`
  return ": there is no such setting (docs/configuration.md has all); unset it"
}

/** `a:80,b:80`, `a:80, b:80`, `a:80;b:80`: blanks separate entries, and commas are for the options of a backend. */
function severalInOne(key: SettingKey, words: readonly string[]): string | null {
  if (key !== "backends") return null
  const isSeveral = (word: string): boolean =>
    /;|^,|,$/.test(word) || entriesIn(word).slice(1).some(isLikeBackend)
  if (!words.some(isSeveral)) return null
  const entries = entriesIn(words.join(" ")).join(" ")
  return `entries are separated by blanks here: ${variableName(key)}=${JSON.stringify(entries)}`
}
