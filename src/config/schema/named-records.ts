/**
 * Settings that are there more than once, by name: listeners and pools. A record has rows as the whole file has them;
 * many are the very rows of the file, whose values are then the defaults of all records. What is read here are the
 * words of each record alone.
 */
import { isMapping, keySet, type Advice, type Mapping } from "./key-tree.ts"
import { foreignAdvice, recordAdvice } from "./foreign-words.ts"
import { objectSchema, readRecord, type RecordRow, type RecordShape } from "./record.ts"
import type { JsonSchema, Refuse, ValueType } from "./setting.ts"
import { shown } from "./value-types.ts"

/** What was said of one record: its own values under the keys of its rows. */
export interface NamedRecord {
  readonly name: string
  readonly values: Mapping
}

export interface RecordKind {
  /** "pool" */
  readonly noun: string
  /** The key under which the records stand: "pools". */
  readonly plural: string
  readonly rows: readonly RecordRow[]
  /** Which every record must say, and which alone is meant by what is no mapping. */
  readonly main: string
  /** A record in one line, as a file has it. */
  readonly example: string
  readonly most: number
  /** What one word of the command line looks like. */
  readonly placeholder: string
  /** The record that is meant by one word of the command line. */
  readWord(word: string, refuse: Refuse): NamedRecord | undefined
  formatWord(record: NamedRecord): string
  /** Where a key has its place that no record of this kind has; null for none. */
  elsewhere(path: string): string | null
  /** The type of the records in the options of `startBalancer`. */
  readonly typescript: string
}

const NAME = "[a-z0-9][a-z0-9_-]{0,62}"
const name = new RegExp(`^${NAME}$`)

/** What is wrong with a name; null for nothing. */
export function faultOfName(word: string, noun: string): string | null {
  if (name.test(word)) return null
  const meant = word.toLowerCase().replaceAll(/[^a-z0-9_-]+/g, "-")
  const advice = name.test(meant) ? `, such as "${meant}"` : ""
  return `${shown(word)} is no name of a ${noun}: it has up to 63 of a-z, 0-9, _ and -${advice}`
}

export function namedRecords(kind: RecordKind): ValueType<readonly NamedRecord[]> {
  const one = recordReader(kind)
  return {
    kind: "list",
    placeholder: kind.placeholder,
    expects: `names, each with its settings: ${kind.example}`,
    read(input, refuse) {
      if (input === null) return []
      if (!isMapping(input)) {
        const advice = Array.isArray(input) ? ", names are keys and not entries of a list" : ""
        const fault = `expected a name for each ${kind.noun}: ${kind.example}`
        return refuse(`${fault}, got ${shown(input)}${advice}`)
      }
      const entries = Object.entries(input)
      if (entries.length > kind.most) return refuse(tooMany(kind, entries.length))
      return sound(
        entries.map(([word, inner]) => {
          const fault = faultOfName(word, kind.noun)
          if (fault !== null) return refuse(fault, `.${word}`)
          const values = one(inner, (message, at = "") => refuse(message, `.${word}${at}`))
          return values && { name: word, values }
        }),
      )
    },
    readWords(words, refuse) {
      if (words.length > kind.most) return refuse(tooMany(kind, words.length))
      const seen = new Set<string>()
      return sound(
        words.map((word, index) => {
          const at = `[${index}]`
          const record = kind.readWord(word, (message) => refuse(message, at))
          if (record === undefined) return undefined
          const advice = `give each ${kind.noun} a name of its own: ${kind.placeholder}`
          if (seen.has(record.name)) return refuse(`"${record.name}" is there twice, ${advice}`, at)
          seen.add(record.name)
          return record
        }),
      )
    },
    format: (records) => records.map((record) => kind.formatWord(record)).join(" "),
    typescript: `Readonly<Record<string, ${kind.typescript}>> | null`,
    json: recordsSchema(kind),
  }
}

function tooMany({ most, plural }: RecordKind, count: number): string {
  return `expected at most ${most} ${plural}, got ${count}`
}

function sound<T>(values: readonly (T | undefined)[]): readonly T[] | undefined {
  const found = values.filter((value) => value !== undefined)
  return found.length === values.length ? found : undefined
}

/** Reads one record: a mapping, or in short the value of its main key. */
function recordReader(kind: RecordKind): (input: unknown, refuse: Refuse) => Mapping | undefined {
  const set = keySet(kind.rows.map(({ key }) => key))
  const written = (key: string): string | null => {
    return set.keys.includes(key) || set.groups.includes(key) ? `"${key}"` : null
  }
  const advice: Advice = {
    foreign: (word, parent) =>
      parent === "" ? recordAdvice(kind.noun, word, written) : foreignAdvice(word, written, parent),
    misplaced(path, parent) {
      const word = path.slice(parent === "" ? 0 : parent.length + 1)
      if (parent !== "" && set.top.includes(word)) {
        return `, it belongs under the ${kind.noun} and not under ${parent}`
      }
      return kind.elsewhere(path)
    },
  }
  const shape: RecordShape = { rows: kind.rows, keys: set, advice }
  const main = kind.rows.find(({ key }) => key === kind.main)
  return (input, refuse) => {
    if (!isMapping(input)) {
      if (main === undefined || input === null) return refuse(`has no ${kind.main}${such(kind)}`)
      const value = main.type.read(input, refuse)
      return value === undefined ? undefined : { [kind.main]: value }
    }
    const values = readRecord(shape, input, refuse)
    if (values === undefined || Object.hasOwn(values, kind.main)) return values
    return refuse(`has no ${kind.main}${such(kind)}`)
  }
}

const such = ({ example }: RecordKind): string => `, write such as ${example}`

function recordsSchema(kind: RecordKind): JsonSchema {
  const main = kind.rows.find(({ key }) => key === kind.main)
  const long = { ...objectSchema(kind.rows), type: "object", required: [kind.main] }
  return {
    type: ["object", "null"],
    additionalProperties: false,
    properties: {},
    patternProperties: { [`^${NAME}$`]: { anyOf: [main?.type.json ?? {}, long] } },
  }
}
