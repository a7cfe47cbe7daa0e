/**
 * Where a list of backends stands in the text of a configuration file: each entry from its first character to its last,
 * in every style that people write. For whoever changes one entry and nothing else. What is found here may be wrong for
 * text that nobody foresaw, so the result of a change is read again before it is believed.
 */
import { endOfKey, nextLine } from "./block-locator.ts"
import { locate, type FileFormat } from "./config-tree.ts"
import { endOfString, endOfWord, locateFlow, skipBlank } from "./flow-locator.ts"

export interface Span {
  readonly start: number
  readonly end: number
}

interface KeySpan extends Span {
  readonly value: Span
}

/**
 * `word`: `10.0.0.1:80,weight=2`. `flow`: `{ host: a, port: 80 }`. `block`: keys on lines of their own, in TOML under
 * a `[[backends]]` or `[[pools.api.backends]]`.
 */
export type EntryStyle = "word" | "flow" | "block"

export interface EntrySpan extends Span {
  readonly style: EntryStyle
  /** In the order of the text; empty for a word. */
  readonly keys: ReadonlyMap<string, KeySpan>
}

/** `flow`: between brackets. `block`: each behind a dash, or in TOML under a header. */
export interface ListSpan {
  readonly style: "flow" | "block"
  readonly entries: readonly EntrySpan[]
}

/** `path`: that of the list. Null when the text has no such list that can be found. */
export function backendSpans(text: string, format: FileFormat, path: string): ListSpan | null {
  const offsets = locate(text, format)
  const key = offsets.get(path)
  const first = offsets.get(`${path}[0]`)
  const isHeader = format === "toml" && first !== undefined && text[first] === "["
  if (isHeader) return { style: "block", entries: entriesOf(text, format, offsets, path, false) }
  if (key === undefined) return null
  const flow = text[valueStart(text, key, format, isInFlow(text, format, path, offsets))] === "["
  return { style: flow ? "flow" : "block", entries: entriesOf(text, format, offsets, path, flow) }
}

/** The key at `path` stands between braces: in JSON, which YAML takes too, or in a mapping that is written so. */
function isInFlow(
  text: string,
  format: FileFormat,
  path: string,
  offsets: ReadonlyMap<string, number>,
): boolean {
  if (format === "json" || (format === "yaml" && text.startsWith("{"))) return true
  const words = path.split(".").slice(0, -1)
  return words.some((_, at) => {
    const offset = offsets.get(words.slice(0, at + 1).join("."))
    // A header of TOML has no value behind it.
    if (offset === undefined || text[offset] === "[") return false
    return text[valueStart(text, offset, format, false)] === "{"
  })
}

function entriesOf(
  text: string,
  format: FileFormat,
  offsets: ReadonlyMap<string, number>,
  path: string,
  flow: boolean,
): readonly EntrySpan[] {
  const entries: EntrySpan[] = []
  for (let i = 0; ; i++) {
    const start = offsets.get(`${path}[${i}]`)
    if (start === undefined) return entries
    entries.push(entryAt(text, format, offsets, { path: `${path}[${i}].`, start, flow }))
  }
}

interface EntryPlace {
  readonly path: string
  readonly start: number
  /** In a list between brackets. */
  readonly flow: boolean
}

function entryAt(
  text: string,
  format: FileFormat,
  offsets: ReadonlyMap<string, number>,
  { path, start, flow }: EntryPlace,
): EntrySpan {
  const braced = text[start] === "{"
  const keys = new Map<string, KeySpan>()
  for (const [name, offset] of offsets) {
    if (!name.startsWith(path)) continue
    const at = valueStart(text, offset, format, flow || braced)
    const value = scalarAt(text, at, flow || braced)
    keys.set(name.slice(path.length), { start: offset, end: value.end, value })
  }
  if (braced) return { style: "flow", start, end: locateFlow(text, start, "", () => {}), keys }
  if (keys.size === 0) return { style: "word", ...scalarAt(text, start, flow), keys }
  return { style: "block", start, end: Math.max(...[...keys.values()].map(({ end }) => end)), keys }
}

function valueStart(text: string, key: number, format: FileFormat, flow: boolean): number {
  const separator = format === "toml" ? "=" : ":"
  const end = flow ? skipBlank(text, endOfWord(text, key, "key")) : endOfKey(text, key, separator)
  let at = end + 1
  if (flow) return skipBlank(text, at)
  while (text[at] === " " || text[at] === "\t") at++
  return at
}

/** A scalar without the blanks and the comment behind it. */
function scalarAt(text: string, start: number, flow: boolean): Span {
  if (text[start] === '"' || text[start] === "'") return { start, end: endOfString(text, start) }
  const whole = text.slice(start, flow ? endOfWord(text, start, "value") : nextLine(text, start))
  return { start, end: start + whole.replace(/(?:^|\s)#.*$/s, "").trimEnd().length }
}
