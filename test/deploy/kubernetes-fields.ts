/**
 * Which fields Kubernetes has, by its own description of 1.30 (kubernetes-1.30.json, made by
 * scripts/kubernetes-schema.ts), as JSON Schema. It says names and types; what may stand in them, as far as our
 * manifests need it, is in kubernetes-kinds.ts.
 */
import type { JsonSchema } from "../../src/config/schema/setting.ts"
import description from "./kubernetes-1.30.json" with { type: "json" }

/** By type: `name` or `name!`, which must be there, and the type, e.g. `string`, `Probe`, `Container[]`, `{string}`. */
const types: Readonly<Record<string, Readonly<Record<string, string>>>> = description.types
const made = new Map<string, JsonSchema>()

const plain: Readonly<Record<string, JsonSchema>> = {
  string: { type: "string" },
  number: { type: "number" },
  boolean: { type: "boolean" },
  "number | string": { type: ["number", "string"] },
  // A quantity is a string, or a number where it looks like one.
  Quantity: { type: ["number", "string"] },
  any: {},
}

/** Throws when Kubernetes has no such type. */
export function schemaOf(type: string): JsonSchema {
  const known = plain[type] ?? made.get(type)
  if (known !== undefined) return known
  if (type.endsWith("[]")) return { type: "array", items: schemaOf(type.slice(0, -2)) }
  if (type.startsWith('"')) return { enum: [JSON.parse(type)] }
  if (type.startsWith("{")) {
    const value = schemaOf(type.slice(1, -1))
    const free = { "^": value }
    return { type: "object", additionalProperties: false, properties: {}, patternProperties: free }
  }
  const fields = types[type]
  if (fields === undefined) throw new Error(`Kubernetes has no ${type}`)
  const properties: Record<string, JsonSchema> = {}
  const required: string[] = []
  const schema = { type: "object", additionalProperties: false, properties, required }
  made.set(type, schema)
  for (const [marked, each] of Object.entries(fields)) {
    const name = marked.replace(/!$/, "")
    properties[name] = schemaOf(each)
    if (name !== marked) required.push(name)
  }
  return schema
}
