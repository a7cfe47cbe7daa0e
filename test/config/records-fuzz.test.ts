/**
 * Random files with listeners and pools, in every style of writing. The three languages say the same, and the printed
 * file says it too. A fault that is put in somewhere is told with its place. Damaged text ends in a line for a person,
 * never in another error.
 */
import { expect, test } from "bun:test"
import { BunlbError } from "../../src/core/errors.ts"
import { effectiveConfiguration } from "../../src/config/effective.ts"
import {
  ConfigSyntaxError,
  parseConfig,
  type FileFormat,
} from "../../src/config/file/config-tree.ts"
import { configurationSchema } from "../../src/config/json-schema.ts"
import { resolve, type Resolved } from "../../src/config/resolve.ts"
import { faultsOf as schemaFaults } from "../support/json-schema.ts"
import { rng, type Rng } from "../support/until.ts"

interface Tree {
  [key: string]: Node
}
type Node = string | number | boolean | Node[] | Tree

const schema = configurationSchema()
const formats: readonly [FileFormat, ...FileFormat[]] = ["yaml", "toml", "json"]

function read(text: string, format: FileFormat): Resolved {
  const file = parseConfig(`x.${format}`, text, format)
  const machine = { cpus: 2, platform: "linux" }
  return resolve({ file, flags: new Map(), environment: {}, machine })
}

const isTree = (node: Node): node is Tree => typeof node === "object" && !Array.isArray(node)

const names = ["api", "web", "a-b", "x_1", "default2"] as const

function backends(random: Rng): Node[] {
  return Array.from({ length: random.between(1, 3) }, (_, at): Node => {
    const host = `10.0.0.${at + 1}`
    return random.pick<Node>([
      `${host}:80`,
      `${host}:81,weight=2`,
      `https://${host}`,
      { host, port: 80 },
      { host, port: 80, weight: 3, backup: true },
    ])
  })
}

/** Some of these, in any order. */
function some(random: Rng, all: Tree): Tree {
  const entries = Object.entries(all).filter(() => random.next() < 0.5)
  return Object.fromEntries(entries.toSorted(() => random.next() - 0.5))
}

function poolTree(random: Rng): Node {
  if (random.next() < 0.3) return backends(random)
  return {
    ...some(random, {
      strategy: random.pick(["random", "weighted", "sticky"]),
      insecure: true,
      health: some(random, { path: "/a#b", interval: "2s", expect: [200, "3xx"] }),
      timeouts: some(random, { connect: "1s", response_head: "10m" }),
      pool: some(random, { idle: 7, max_age: "9s" }),
    }),
    backends: backends(random),
  }
}

function wholeTree(random: Rng): Tree {
  const pools: Tree = { default: poolTree(random) }
  for (const name of names) if (random.next() < 0.4) pools[name] = poolTree(random)
  const known = Object.keys(pools)
  const listeners: Tree = {}
  for (const [at, name] of names.entries()) {
    const address = random.pick([`:${80 + at}`, `10.0.0.1:${80 + at}`, `unix:/run/${name}`])
    if (random.next() < 0.4) listeners[name] = address
    else if (random.next() < 0.6) {
      const pool = known[random.between(0, known.length - 1)] ?? "default"
      const more = { pool, trusted_proxies: ["10.0.0.0/8"], timeouts: { client_idle: "5s" } }
      listeners[name] = { ...some(random, more), address }
    }
  }
  return { ...some(random, { workers: 2, health: { interval: "9s" } }), listeners, pools }
}

function yaml(random: Rng, node: Node, indent: string): string {
  const key = (word: string): string => (random.next() < 0.2 ? JSON.stringify(word) : word)
  const flow = (inner: Node): string => {
    if (Array.isArray(inner)) return `[${inner.map(flow).join(", ")}]`
    if (!isTree(inner)) return JSON.stringify(inner)
    return `{ ${Object.entries(inner)
      .map(([word, each]) => `${key(word)}: ${flow(each)}`)
      .join(", ")} }`
  }
  const comment = (): string => (random.next() < 0.2 ? " # a: [comment" : "")
  const inline = !(typeof node === "object") || Object.keys(node).length === 0
  if (inline || random.next() < 0.25) return ` ${flow(node)}${comment()}\n`
  const start = comment()
  if (Array.isArray(node)) {
    const lines = node.map((each) => `${indent}-${yaml(random, each, `${indent}    `)}`)
    return `${start}\n${lines.join("")}`
  }
  const lines = Object.entries(node).map(
    ([word, each]) => `${indent}${key(word)}:${yaml(random, each, `${indent}  `)}`,
  )
  return `${start}\n${lines.join("")}`
}

function toml(random: Rng, tree: Tree, path: string): string {
  const flow = (inner: Node): string => {
    if (Array.isArray(inner)) return `[${inner.map(flow).join(", ")}]`
    if (!isTree(inner)) return JSON.stringify(inner)
    return `{ ${Object.entries(inner)
      .map(([word, each]) => `${word} = ${flow(each)}`)
      .join(", ")} }`
  }
  const tables: [string, Tree][] = []
  const lists: [string, Tree[]][] = []
  let text = path === "" ? "" : `[${path}]\n`
  for (const [word, each] of Object.entries(tree)) {
    const inner = path === "" ? word : `${path}.${word}`
    const rows = Array.isArray(each) && each.every(isTree) && each.length > 0 ? each : null
    if (isTree(each) && random.next() < 0.7) tables.push([inner, each])
    else if (rows !== null && random.next() < 0.7) lists.push([inner, rows])
    else text += `${word} = ${flow(each)}\n`
  }
  for (const [inner, rows] of lists) {
    for (const row of rows) text += toml(random, row, inner).replace(`[${inner}]`, `[[${inner}]]`)
  }
  return text + tables.map(([inner, each]) => toml(random, each, inner)).join("")
}

function written(random: Rng, tree: Tree, format: FileFormat): string {
  if (format === "json") return JSON.stringify(tree, null, random.between(0, 1) * 2)
  return format === "toml" ? toml(random, tree, "") : yaml(random, tree, "").trimStart()
}

test("three languages and the printed file say the same", () => {
  for (let seed = 1; seed <= 80; seed++) {
    const tree = wholeTree(rng(seed))
    const expected = read(JSON.stringify(tree), "json").settings
    expect(schemaFaults(schema, tree), `seed ${seed}`).toEqual([])
    for (const format of formats) {
      const text = written(rng(seed * 7), tree, format)
      const made = read(text, format)
      expect(sorted(made), `seed ${seed}:\n${text}`).toEqual(sorted({ settings: expected }))
      const again = read(effectiveConfiguration(made), "yaml")
      expect(sorted(again), `seed ${seed}, printed`).toEqual(sorted({ settings: expected }))
    }
  }
})

/** Tables of TOML stand behind plain keys, so the order of records differs. */
function sorted({ settings }: Pick<Resolved, "settings">) {
  const byName = <T extends { readonly name: string }>(all: readonly T[]) =>
    all.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const { listeners, pools } = settings
  return { ...settings, listeners: byName(listeners), pools: byName(pools) }
}

test("a fault is told with the place of its key", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const random = rng(seed)
    const tree = wholeTree(random)
    const path = damage(random, tree)
    if (path === null) continue
    const format = random.pick(formats)
    const text = written(random, tree, format)
    expect(schemaFaults(schema, tree), `seed ${seed}`).not.toEqual([])
    const lines = faultsOf(text, format)
    const where = `seed ${seed}, ${path}:\n${text}\n${lines.join("\n")}`
    const line = lines.find((each) => each.includes(`: ${path}: `)) ?? ""
    const place = /^config: x\.\w+:(\d+):(\d+): /.exec(line)
    expect(place, where).not.toBeNull()
    const at = text.split("\n")[Number(place?.[1]) - 1]?.slice(Number(place?.[2]) - 1) ?? ""
    const key = path.split(".").at(-1) ?? ""
    // A table of TOML has its place at its header.
    expect(at.startsWith(key) || at.startsWith(`"${key}"`) || at.startsWith("["), where).toBe(true)
  }
})

/** Puts a wrong key or value somewhere into the records; the path of it. */
function damage(random: Rng, tree: Tree): string | null {
  let [node, path] = [tree, ""]
  for (;;) {
    const inner = Object.entries(node).filter(([, each]) => isTree(each))
    const depth = path === "" ? 0 : path.split(".").length
    if (inner.length === 0 || (depth >= 2 && random.next() < 0.4)) break
    const [key = "", next] = inner[random.between(0, inner.length - 1)] ?? []
    if (next === undefined || !isTree(next)) break
    node = next
    path = path === "" ? key : `${path}.${key}`
  }
  if (path.split(".").length < 2) return null
  const key = random.pick(["zzz", "helth", "port2", "strategee"])
  node[key] = random.pick<Node>([1, "x", [1], { a: 1 }])
  return `${path}.${key}`
}

test("damaged text ends in lines for a person", () => {
  for (let seed = 1; seed <= 1_500; seed++) {
    const random = rng(seed)
    const format = random.pick(formats)
    let text = written(random, wholeTree(random), format)
    for (let i = random.between(1, 4); i > 0; i--) {
      const [at, length] = [random.between(0, text.length), random.between(0, 12)]
      const more = random.pick(["", "{", "[", ":", "\n  ", '"', "- ", "=", "&a ", "\t", "[[x]]\n"])
      const stray = random.next() < 0.3 ? text.slice(at, at + 40) : more
      text = text.slice(0, at) + stray + text.slice(at + length)
    }
    for (const line of faultsOf(text, format)) expect(line, `seed ${seed}`).toStartWith("config: ")
  }
})

function faultsOf(text: string, format: FileFormat): readonly string[] {
  try {
    read(text, format)
    return []
  } catch (error) {
    if (error instanceof ConfigSyntaxError) return []
    if (error instanceof BunlbError) return error.message.split("\n")
    throw new Error(`${format}:\n${text}`, { cause: error })
  }
}
