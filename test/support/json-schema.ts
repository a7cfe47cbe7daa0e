/** A validator of JSON Schema, as much of draft 7 as bunlb's own schema uses; another word is an error. */
import type { JsonSchema } from "../../src/config/schema/setting.ts"

type Rule = (limit: never, value: unknown, at: string, schema: JsonSchema) => string[]

const isMapping = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === "object" && !Array.isArray(value)

const types: Readonly<Record<string, (value: unknown) => boolean>> = {
  null: (value) => value === null,
  boolean: (value) => typeof value === "boolean",
  integer: Number.isInteger,
  number: (value) => typeof value === "number",
  string: (value) => typeof value === "string",
  array: Array.isArray,
  object: isMapping,
}

const when = (fails: boolean, at: string, text: string): string[] =>
  fails ? [`${at}: ${text}`] : []

const rules: Readonly<Record<string, Rule>> = {
  $schema: () => [],
  title: () => [],
  description: () => [],
  type: (names: string | string[], value, at) =>
    when(![names].flat().some((name) => types[name]?.(value)), at, `is not ${names}`),
  enum: (words: unknown[], value, at) => when(!words.includes(value), at, `is not of ${words}`),
  minimum: (limit: number, value, at) =>
    when(typeof value === "number" && value < limit, at, `is below ${limit}`),
  maximum: (limit: number, value, at) =>
    when(typeof value === "number" && value > limit, at, `is above ${limit}`),
  pattern: (source: string, value, at) =>
    when(typeof value === "string" && !new RegExp(source).test(value), at, `is not ${source}`),
  anyOf: (choices: JsonSchema[], value, at) =>
    when(
      choices.every((each) => faultsOf(each, value, at).length > 0),
      at,
      "fits no choice",
    ),
  items: (item: JsonSchema, value, at) =>
    Array.isArray(value) ? value.flatMap((each, i) => faultsOf(item, each, `${at}[${i}]`)) : [],
  maxItems: (limit: number, value, at) =>
    when(Array.isArray(value) && value.length > limit, at, "is too long"),
  required: (names: string[], value, at) =>
    names.flatMap((name) => when(isMapping(value) && !(name in value), at, `lacks ${name}`)),
  properties: (known: Record<string, JsonSchema>, value, at) =>
    Object.entries(isMapping(value) ? value : {}).flatMap(([name, inner]) =>
      known[name] === undefined ? [] : faultsOf(known[name], inner, `${at}.${name}`),
    ),
  patternProperties: (known: Record<string, JsonSchema>, value, at) =>
    Object.entries(isMapping(value) ? value : {}).flatMap(([name, inner]) =>
      Object.entries(known).flatMap(([source, each]) =>
        new RegExp(source).test(name) ? faultsOf(each, inner, `${at}.${name}`) : [],
      ),
    ),
  additionalProperties: (_never: false, value, at, { properties, patternProperties }) => {
    const sources = Object.keys(patternProperties ?? {})
    return Object.keys(isMapping(value) ? value : {}).flatMap((name) => {
      const known = name in (properties as object) || sources.some((s) => new RegExp(s).test(name))
      return when(!known, at, `has the unknown key ${name}`)
    })
  },
}

/** One line for every fault; empty when `value` is what `schema` describes. */
export function faultsOf(schema: JsonSchema, value: unknown, at = "$"): string[] {
  return Object.entries(schema).flatMap(([word, limit]) => {
    const rule = rules[word]
    if (rule === undefined) throw new Error(`${at}: the validator does not know ${word}`)
    return rule(limit as never, value, at, schema)
  })
}
