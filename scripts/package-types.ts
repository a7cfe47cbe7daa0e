/**
 * src/options.ts and types/index.d.ts, written from the table of settings and from src/index.ts: what programs that use
 * bunlb as a package are told of its types. The declarations name nothing of Bun or Node.js, so that they compile under
 * any settings of the consumer; shipped sources would be compiled under the consumer's settings and not under ours.
 */
import { backendRows } from "../src/config/schema/backend.ts"
import type { RecordKind } from "../src/config/schema/named-records.ts"
import type { RecordRow } from "../src/config/schema/record.ts"
import { listeners, pools, settingRows } from "../src/config/schema/schema.ts"

const WIDTH = 100

const fixed = `/** A time: \`500ms\`, \`5s\`, \`1m\`, \`1h\`, or 0. */
export type Duration = \`\${number}\${"ms" | "s" | "m" | "h"}\` | 0 | "0"

/** Bytes: a number, \`16KiB\`, \`64k\`, \`1MiB\`. */
export type Size = number | \`\${number}\${"" | "b" | "k" | "KiB" | "m" | "MiB" | "g" | "GiB"}\`
`

const optionsComment =
  "/** What a configuration file may say, under the same names. `admin`, `mode` and `workers` mean nothing here. */"

const either = `/** Backends of the default pool, or pools. */
export type BalancerOptions = BalancerSettings &
  (Pick<Required<BalancerSettings>, "backends"> | Pick<Required<BalancerSettings>, "pools">)
`

const header = (from: string): string =>
  `/**\n * ${from}. Generated:\n * \`BUNLB_UPDATE_DOCS=1 bun test document\` writes it anew.\n */`

/** src/options.ts: the types of the options, one field a setting. */
export function optionsSource(): string {
  return `${header("The options of `startBalancer`, from src/config/schema/schema.ts")}\n\n${optionTypes()}`
}

/** types/index.d.ts: the options, and what src/index.ts exports. */
export function declarations(indexSource: string): string {
  const interfaces = [
    ...indexSource.matchAll(/(?:\/\*\*(?:(?!\*\/)[^])*\*\/\n)?export interface [^]*?\n\}\n/g),
  ].map(([text]) => text)
  const functions = [
    ...indexSource.matchAll(
      /(\/\*\*(?:(?!\*\/)[^])*\*\/\n)?export async function (\w+)\((.*)\): (.*) \{\n/g,
    ),
  ].map(
    ([, comment = "", name, parameters = "", result]) =>
      `${comment}export declare function ${name}(${optionalParameters(parameters)}): ${result}\n`,
  )
  return [
    header("Types of the package, from src/index.ts and src/config/schema/schema.ts"),
    '/// <reference lib="esnext.disposable" />\n',
    optionTypes(),
    ...interfaces,
    ...functions,
  ].join("\n")
}

/** `options: X = {}` is `options?: X`. */
function optionalParameters(text: string): string {
  return text.replaceAll(/(\w+): (\w+) = \{\}/g, "$1?: $2")
}

function optionTypes(): string {
  const all = settingRows.map(({ key, setting: { type, help }, defaultText }) => {
    return { key, type, help, defaultText }
  })
  return [
    `${fixed}\n/** A backend with its options as keys. As a line: \`10.0.0.1:8080,weight=2\`. */`,
    // A balancer inside another program asks no DNS.
    interfaceOf(
      "BackendEntry",
      backendRows.filter(({ key }) => key !== "discover"),
      "host",
    ),
    `/** A listener with its settings. As a line: \`:80\`, \`10.0.0.1:80\`, \`unix:/PATH\`. */`,
    recordType("ListenerEntry", listeners),
    "/** A pool with its settings. As a list: its backends. */",
    recordType("PoolEntry", pools),
    optionsComment,
    interfaceOf("BalancerSettings", all),
    either,
  ].join("\n")
}

/** What a record has of its own, and what it has as the whole file has it. */
function recordType(called: string, { rows, main }: RecordKind): string {
  const isShared = ({ key }: RecordRow): boolean =>
    key !== main && settingRows.some((row) => row.key === key)
  const own = rows
    .filter((row) => !isShared(row))
    .flatMap((row) => field(row, row.key, "  ", row.key === main ? "" : "?"))
  const shared = rows.filter(isShared)
  const top = shared.flatMap(({ key }) => (key.includes(".") ? [] : [key]))
  const groups = new Set(
    shared.flatMap(({ key }) => (key.includes(".") ? [key.split(".")[0]] : [])),
  )
  const whole: string[] = []
  const parts: string[] = []
  for (const group of groups) {
    const inner = (key: string): string[] =>
      key.startsWith(`${group}.`) ? [JSON.stringify(key.slice(`${group}.`.length))] : []
    const ours = shared.flatMap(({ key }) => inner(key))
    if (ours.length === settingRows.flatMap(({ key }) => inner(key)).length) whole.push(`${group}`)
    else parts.push(...partOf(`${group}`, ours))
  }
  const names = [...top, ...whole].map((key) => JSON.stringify(key))
  return [
    `export interface ${called} extends Pick<`,
    "  BalancerSettings,",
    ...choice(names, "  "),
    "> {",
    ...own,
    ...parts,
    "}\n",
  ].join("\n")
}

function partOf(group: string, inner: readonly string[]): readonly string[] {
  const whole = `NonNullable<BalancerSettings["${group}"]>`
  const line = `  readonly ${group}?: Pick<${whole}, ${inner.join(" | ")}> | null`
  if (line.length <= WIDTH) return [line]
  return [`  readonly ${group}?: Pick<`, `    ${whole},`, ...choice(inner, "    "), "  > | null"]
}

/** In one line where it fits, as the formatter has it. */
function choice(words: readonly string[], indent: string): readonly string[] {
  const line = indent + words.join(" | ")
  return line.length <= WIDTH ? [line] : words.map((word) => `${indent}| ${word}`)
}

function interfaceOf(called: string, rows: readonly RecordRow[], needed = ""): string {
  const groups = new Map<string, string[]>()
  const top: string[] = []
  for (const row of rows) {
    const [name = "", inner] = row.key.split(".")
    if (inner === undefined) {
      top.push(...field(row, name, "  ", name === needed ? "" : "?"))
      continue
    }
    const lines = groups.get(name) ?? []
    groups.set(name, lines)
    lines.push(...field(row, inner, "    ", "?"))
  }
  const nested = [...groups].flatMap(([name, lines]) => [
    `  readonly ${name}?: {`,
    ...lines,
    "  } | null",
  ])
  const body = [...top, ...nested].join("\n")
  return `export interface ${called} {\n${body}\n}\n`
}

function field(row: RecordRow, name: string, indent: string, optional: string): string[] {
  const without = optional === "" ? "" : ` Default: ${row.defaultText}.`
  const text = `${row.help}.${without}`.replaceAll("*/", "* /")
  const comment = `${indent}/** ${text} */`
  const lines = comment.length > WIDTH ? wrapped(text, indent) : [comment]
  return [...lines, `${indent}readonly ${name}${optional}: ${row.type.typescript ?? "string"}`]
}

function wrapped(text: string, indent: string): string[] {
  const lines: string[] = [`${indent}/**`, `${indent} *`]
  for (const word of text.split(" ")) {
    const line = lines.at(-1) ?? ""
    if (line.length + word.length + 1 > WIDTH) lines.push(`${indent} * ${word}`)
    else lines[lines.length - 1] = `${line} ${word}`
  }
  return [...lines, `${indent} */`]
}
