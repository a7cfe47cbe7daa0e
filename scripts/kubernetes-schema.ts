/**
 * Makes test/deploy/kubernetes-1.30.json: every field that Kubernetes has in the kinds of our manifests, by its own
 * OpenAPI description. Needed again only for another version of Kubernetes or another kind:
 *
 *   npm pack kubernetes-types@1.30.0 && tar -xzf kubernetes-types-1.30.0.tgz
 *   bun scripts/kubernetes-schema.ts package
 *
 * The package is made from that description by a program, so its text is regular and lines are all that is read here.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"

type Fields = Record<string, string>

const kinds: Readonly<Record<string, string>> = {
  ConfigMap: "core/v1",
  Service: "core/v1",
  Deployment: "apps/v1",
  PodDisruptionBudget: "policy/v1",
  HorizontalPodAutoscaler: "autoscaling/v2",
}
const target = join(import.meta.dir, "..", "test", "deploy", "kubernetes-1.30.json")
const [folder] = process.argv.slice(2)

/** What a module of the package says, by name: the fields of an interface, or the type that a name stands for. */
interface Module {
  readonly interfaces: Map<string, Fields>
  readonly aliases: Map<string, string>
  /** Where a name comes from. */
  readonly imports: Map<string, string>
}

const modules = new Map<string, Module>()

function read(from: string, name: string): Module {
  const known = modules.get(name)
  if (known !== undefined) return known
  const text = readFileSync(join(from, `${name}.d.ts`), "utf8").replaceAll(/\/\*[\s\S]*?\*\//g, "")
  const found: Module = { interfaces: new Map(), aliases: new Map(), imports: new Map() }
  for (const [, names = "", place = ""] of text.matchAll(/^import \{ (.+) \} from "(.+)";$/gm)) {
    for (const each of names.split(", ")) found.imports.set(each, join(name, "..", place))
  }
  for (const [, alias = "", type = ""] of text.matchAll(/^export type (\w+) = (.+);$/gm)) {
    found.aliases.set(alias, type)
  }
  for (const [, each = "", body = ""] of text.matchAll(
    /^export interface (\w+) \{([\s\S]*?)^\}$/gm,
  )) {
    found.interfaces.set(each, fieldsOf(body))
  }
  modules.set(name, found)
  return found
}

/** `{name!: type}`, the mark for a field that must be there. */
function fieldsOf(body: string): Fields {
  const flat = body.replaceAll(/\{\s*\[name: string\]: ([^;]+);\s*\}/g, "{$1}")
  const lines = flat.split("\n").filter((line) => line.trim() !== "")
  return Object.fromEntries(
    lines.map((line) => {
      const [, name, optional, type] =
        /^ +(?:readonly )?"?([\w$-]+)"?(\??): (.+);$/.exec(line) ?? []
      if (name === undefined || type === undefined) throw new Error(`cannot read: ${line}`)
      return [optional === "" ? `${name}!` : name, type]
    }),
  )
}

/** All that `name` leads to, gathered in `into`; returns the type as it is written there. */
function gather(from: string, place: string, type: string, into: Record<string, Fields>): string {
  const [, wrapped = type] = /^(?:Array<|\{)(.+)[>}]$/.exec(type) ?? []
  const inner = simple(from, place, wrapped, into)
  if (type.startsWith("Array<")) return `${inner}[]`
  return type.startsWith("{") ? `{${inner}}` : inner
}

function simple(from: string, place: string, type: string, into: Record<string, Fields>): string {
  if (/^(string|number|boolean|any|number \| string|"[\w./]+")$/.test(type)) return type
  const { interfaces, aliases, imports } = read(from, place)
  const elsewhere = imports.get(type)
  if (elsewhere !== undefined) return simple(from, elsewhere, type, into)
  const alias = aliases.get(type)
  if (alias !== undefined) return gather(from, place, alias, into)
  const fields = interfaces.get(type)
  if (fields === undefined) throw new Error(`${place}: what is ${type}?`)
  if (into[type] !== undefined) return type
  const known: Fields = (into[type] = {})
  for (const [name, each] of Object.entries(fields)) {
    // What the cluster says of an object is in no manifest.
    if (!(type in kinds && name === "status")) known[name] = gather(from, place, each, into)
  }
  return type
}

if (folder === undefined) {
  console.error("kubernetes-schema: name the folder of the unpacked package kubernetes-types")
  process.exit(2)
}
const types: Record<string, Fields> = {}
for (const [kind, place] of Object.entries(kinds)) simple(folder, place, kind, types)
const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
  readonly version: string
  readonly license: string
}
const source = `kubernetes-types ${version} (${license}), from the OpenAPI description of Kubernetes`
await Bun.write(target, `${JSON.stringify({ source, types }, null, 2)}\n`)
console.log(`${target}: ${Object.keys(types).length} types`)
