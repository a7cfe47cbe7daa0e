/**
 * The plain kinds of values: numbers, durations, sizes, switches, choices, texts and status codes.
 * Each reads what a YAML, TOML or JSON file holds as well as the string of a flag, because `port:
 * ${PORT}` is a string too.
 */
import type { JsonSchema, Refuse, ValueType } from "./setting.ts"
import { didYouMean } from "./spelling.ts"

/** A value as an error line shows it: short, on one line, strings quoted. */
export function shown(input: unknown): string {
  const text = typeof input === "string" ? JSON.stringify(input) : (JSON.stringify(input) ?? "")
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}

/** A secret is not repeated: errors end up in logs. */
export function lengthAlone(input: unknown): string {
  return `a value of ${String(input).length} characters`
}

/** `type`, and for what is a known mistake the advice that `cure` has. */
export function advised<T>(
  type: ValueType<T>,
  cure: (input: unknown) => string | null,
): ValueType<T> {
  return {
    ...type,
    read: (input, refuse) =>
      type.read(input, (message, at) => {
        const advice = cure(input)
        return refuse(advice === null ? message : `${message}, ${advice}`, at)
      }),
  }
}

/** `${NAME}` somewhere in it: what it will be is not known to an editor. */
const FILLED = "\\$\\{"

/** A string of this pattern, or one that the environment fills. */
export function stringLike(pattern: string): JsonSchema {
  return { type: "string", pattern: `${pattern}|${FILLED}` }
}

function expected(expects: string, input: unknown, refuse: Refuse): undefined {
  return refuse(`expected ${expects}, got ${shown(input)}`)
}

export function integer(minimum: number, maximum: number, placeholder = "N"): ValueType<number> {
  const expects = `a whole number from ${minimum} to ${maximum}`
  return {
    kind: "scalar",
    placeholder,
    expects,
    read(input, refuse) {
      const decimal = typeof input === "string" && /^\d{1,15}$/.test(input.trim())
      const value = decimal ? Number(input) : input
      const fits = typeof value === "number" && Number.isInteger(value)
      return fits && value >= minimum && value <= maximum ? value : expected(expects, input, refuse)
    },
    format: String,
    json: { ...stringLike("^\\d{1,15}$"), type: ["integer", "string"], minimum, maximum },
    typescript: "number",
  }
}

const durationUnits: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }

/** `value` milliseconds in the largest unit that says them exactly. */
function formatDuration(value: number): string {
  if (value === 0) return "0"
  const unit = ["h", "m", "s"].find((name) => value % (durationUnits[name] ?? 1) === 0) ?? "ms"
  return `${value / (durationUnits[unit] ?? 1)}${unit}`
}

const numberZero = { type: ["string", "integer"], minimum: 0, maximum: 0 }

/**
 * Held in milliseconds; `per` 1000 holds whole seconds. Zero needs no unit, every other number
 * does.
 */
export function duration(minimum: number, maximum: number, per = 1): ValueType<number> {
  const expects = `a duration from ${formatDuration(minimum)} to ${formatDuration(maximum)}`
  return {
    kind: "scalar",
    placeholder: "DURATION",
    expects,
    read(input, refuse) {
      const text = String(input).trim()
      const match = /^(\d{1,12}(?:\.\d{1,3})?)(ms|s|m|h)?$/.exec(text)
      if (!match) return expected(`${expects}, such as 500ms, 5s, 1m or 1h`, input, refuse)
      const unit = match[2]
      if (unit === undefined && Number(match[1]) !== 0) {
        return refuse(`${text} has no unit, write ${text}ms, ${text}s, ${text}m or ${text}h`)
      }
      const milliseconds =
        Math.round(Number(match[1]) * (durationUnits[unit ?? "ms"] ?? 1) * 1e3) / 1e3
      if (milliseconds < minimum || milliseconds > maximum) return expected(expects, input, refuse)
      if (milliseconds % per !== 0) {
        return refuse(`${text} is not a whole number of ${per === 1 ? "milliseconds" : "seconds"}`)
      }
      return milliseconds / per
    },
    format: (value) => formatDuration(value * per),
    json: { ...stringLike("^(\\d{1,12}(\\.\\d{1,3})?(ms|s|m|h)|0)$"), ...numberZero },
    typescript: "Duration",
  }
}

const sizeUnits: Readonly<Record<string, number>> = { b: 1, k: 1 << 10, m: 1 << 20, g: 1 << 30 }

/** `value` bytes in the largest unit that says them exactly. */
function formatSize(value: number): string {
  if (value === 0) return "0"
  if (value % (1 << 20) === 0) return `${value / (1 << 20)}MiB`
  return value % 1024 === 0 ? `${value / 1024}KiB` : String(value)
}

/** Bytes; `k` and `KiB` are 1,024. `KB` is refused: people mean two different numbers by it. */
export function size(minimum: number, maximum: number): ValueType<number> {
  const expects = `a size from ${formatSize(minimum)} to ${formatSize(maximum)}`
  return {
    kind: "scalar",
    placeholder: "SIZE",
    expects,
    read(input, refuse) {
      const match = /^(\d{1,12})(?:([kmg])(?:ib)?|b)?$/i.exec(String(input).trim())
      if (!match) return expected(`${expects}, such as 16KiB, 64k or 1MiB`, input, refuse)
      const bytes = Number(match[1]) * (sizeUnits[(match[2] ?? "b").toLowerCase()] ?? 1)
      return bytes >= minimum && bytes <= maximum ? bytes : expected(expects, input, refuse)
    },
    format: formatSize,
    json: {
      ...stringLike("^\\d{1,12}([kKmMgG]([iI][bB])?|[bB])?$"),
      type: ["integer", "string"],
      minimum,
      maximum,
    },
    typescript: "Size",
  }
}

const yes = ["true", "yes", "on", "1"]
const no = ["false", "no", "off", "0"]

/** YAML reads `on` and `yes` as strings, so they are taken here. */
export const boolean: ValueType<boolean> = {
  kind: "boolean",
  placeholder: "",
  expects: "true or false",
  read(input, refuse) {
    if (typeof input === "boolean") return input
    const word = String(input).toLowerCase()
    if (yes.includes(word)) return true
    return no.includes(word) ? false : expected("true or false", input, refuse)
  },
  format: String,
  json: { ...stringLike(`^(${[...yes, ...no].join("|")})$`), type: ["boolean", "string"] },
  typescript: "boolean",
}

/** A switch whose flag takes its value: `--tracing on`. */
export const onOff: ValueType<boolean> = {
  ...boolean,
  kind: "scalar",
  placeholder: "on|off",
  expects: "on or off",
  typescript: 'boolean | "on" | "off"',
  read(input, refuse) {
    return boolean.read(input, () => expected(onOff.expects, input, refuse))
  },
  format: (value) => (value ? "on" : "off"),
}

/** One of a few words; `synonyms` are other spellings that people bring from elsewhere. */
export function oneOf<T extends string>(
  words: readonly T[],
  synonyms: Readonly<Record<string, T>> = {},
): ValueType<T> {
  const expects = `${words.slice(0, -1).join(", ")} or ${words.at(-1) ?? ""}`
  return {
    kind: "scalar",
    placeholder: words.join("|"),
    expects,
    read(input, refuse) {
      const word = String(input).toLowerCase().replaceAll("-", "_")
      const meant = words.find((one) => one === word) ?? synonyms[word]
      if (meant !== undefined) return meant
      return refuse(`expected ${expects}, got ${shown(input)}${didYouMean(word, words)}`)
    },
    format: String,
    typescript: words.map((word) => JSON.stringify(word)).join(" | "),
    json: {
      anyOf: [{ enum: words }, stringLike(`^(${Object.keys(synonyms).join("|") || "(?!)"})$`)],
    },
  }
}

/** A string that matches `pattern`; `expects` says the pattern in words, `show` what was given instead. */
export function text(
  pattern: RegExp,
  expects: string,
  placeholder: string,
  show: (input: unknown) => string = shown,
): ValueType<string> {
  return {
    kind: "scalar",
    placeholder,
    expects,
    read(input, refuse) {
      const value = typeof input === "number" ? String(input) : input
      const fits = typeof value === "string" && pattern.test(value)
      return fits ? value : refuse(`expected ${expects}, got ${show(input)}`)
    },
    format: String,
    json: stringLike(pattern.source),
  }
}

/**
 * `type`, or nothing: null in a file, an empty string in a flag. `absent` says in docs what nothing
 * means.
 */
export function optional<T>(type: ValueType<T>, absent: string): ValueType<T | null> {
  return {
    ...type,
    read: (input, refuse) => (input === null || input === "" ? null : type.read(input, refuse)),
    format: (value) => (value === null ? absent : type.format(value)),
    json: { anyOf: [{ type: "null" }, type.json] },
    typescript: `${type.typescript ?? "string"} | null`,
  }
}

/** A list of `item`: a list in a file, or one string with commas in a file or a flag. */
export function list<T>(item: ValueType<T>, maximum: number): ValueType<readonly T[]> {
  return {
    kind: "list",
    placeholder: item.placeholder,
    expects: `a list of: ${item.expects}`,
    read(input, refuse) {
      const parts = (Array.isArray(input) ? input : [input]).flatMap((part: unknown) =>
        typeof part === "string" ? part.split(",").map((word) => word.trim()) : [part],
      )
      if (parts.length > maximum) {
        return refuse(`expected at most ${maximum} entries, got ${parts.length}`)
      }
      const values = parts.map((part, index) =>
        item.read(part, (message, at = "") => refuse(message, `[${index}]${at}`)),
      )
      return values.every((value) => value !== undefined) ? values : undefined
    },
    format: (values) => values.map((value) => item.format(value)).join(","),
    typescript: listOf(item.typescript ?? "string"),
    json: {
      anyOf: [
        { type: "array", items: item.json, maxItems: maximum },
        { type: "string" },
        item.json,
      ],
    },
  }
}

function listOf(type: string): string {
  return type === "string" ? "readonly string[] | string" : `readonly (${type})[] | string`
}

/** `200`, `2xx` or `200-399`, held as an inclusive range. */
export const statusRange: ValueType<readonly [number, number]> = {
  kind: "scalar",
  placeholder: "STATUS",
  expects: "a status such as 200, 2xx or 200-399",
  read(input, refuse) {
    const word = String(input).toLowerCase()
    const match = /^([1-5])xx$|^([1-5]\d\d)(?:-([1-5]\d\d))?$/.exec(word)
    if (!match) return expected("a status such as 200, 2xx or 200-399", input, refuse)
    if (match[1] !== undefined) return [Number(match[1]) * 100, Number(match[1]) * 100 + 99]
    const first = Number(match[2])
    const last = Number(match[3] ?? first)
    return first <= last ? [first, last] : refuse(`${word} ends before it begins`)
  },
  format: ([first, last]) => (first === last ? String(first) : `${first}-${last}`),
  typescript: "number | string",
  json: {
    ...stringLike("^([1-5][xX]{2}|[1-5]\\d\\d(-[1-5]\\d\\d)?)$"),
    type: ["integer", "string"],
    minimum: 100,
    maximum: 599,
  },
}
