/**
 * Finds where keys and entries stand in YAML's block style and in TOML, line by line. Bun's parsers
 * give values without places; an error without a place sends a person searching. Text that it does
 * not understand (anchors, `?` keys) costs only the place: the line is then left out of the error.
 */
import { endOfString, join, locateFlow, unquoted, type Found } from "./flow-locator.ts"

/** Offset of the first character of the line after `at`. */
export function nextLine(text: string, at: number): number {
  const newline = text.indexOf("\n", at)
  return newline === -1 ? text.length : newline + 1
}

/** Offset of the separator behind the key at `start`, or -1 when there is no key on this line. */
export function endOfKey(text: string, start: number, separator: ":" | "="): number {
  let at = start
  const lineEnd = nextLine(text, start)
  while (at < lineEnd) {
    const char = text[at]
    if (at === start && (char === '"' || char === "'")) at = endOfString(text, at)
    else if (char === separator && (separator === "=" || /\s/.test(text[at + 1] ?? " "))) return at
    else if (char === "#" && /\s/.test(text[at - 1] ?? " ")) return -1
    else at++
  }
  return -1
}

interface Container {
  readonly indent: number
  readonly kind: "map" | "list"
  readonly path: string
  count: number
}

/** The stack of open containers; `path` is where the next deeper one belongs. */
class Outline {
  readonly #open: Container[] = []
  #path = ""

  /** The path of a key or entry at `indent`. */
  place(indent: number, kind: "map" | "list", key: string): string {
    const top = this.#container(indent, kind)
    this.#path = kind === "map" ? join(top.path, key) : `${top.path}[${top.count++}]`
    return this.#path
  }

  #container(indent: number, kind: "map" | "list"): Container {
    const open = this.#open
    while ((open.at(-1)?.indent ?? -1) > indent) open.pop()
    // A list may stand at the indent of the key that holds it; the next key at that indent ends it.
    if (open.at(-1)?.indent === indent && open.at(-1)?.kind === "list" && kind === "map") open.pop()
    const top = open.at(-1)
    if (top && top.indent === indent && top.kind === kind) return top
    const opened: Container = { indent, kind, path: top ? this.#path : "", count: 0 }
    open.push(opened)
    return opened
  }
}

/** Offset of the first line behind a block scalar whose key stands at `indent`. */
function skipBlockScalar(text: string, start: number, indent: number): number {
  let at = nextLine(text, start)
  while (at < text.length) {
    const width = /^ */.exec(text.slice(at, at + 200))?.[0].length ?? 0
    const blank = /[\r\n]/.test(text[at + width] ?? "\n")
    if (!blank && width <= indent) return at
    at = nextLine(text, at)
  }
  return at
}

/** Offset of the line behind the value at `at`, having reported what a flow value holds. */
function skipValue(text: string, at: number, indent: number, path: string, found: Found): number {
  const char = text[at] ?? ""
  if (char === "{" || char === "[") return nextLine(text, locateFlow(text, at, path, found))
  if (char === "|" || char === ">") return skipBlockScalar(text, at, indent)
  return nextLine(text, char === '"' || char === "'" ? endOfString(text, at) : at)
}

export function locateYaml(text: string, found: Found): void {
  const outline = new Outline()
  let lineStart = 0
  while (lineStart < text.length) {
    let at = lineStart
    const skip = (): void => {
      while (text[at] === " ") at++
    }
    skip()
    if (/^(?:[#\r\n]|---|\.\.\.|%)/.test(text.slice(at, at + 3))) {
      lineStart = nextLine(text, at)
      continue
    }
    if (at === 0 && (text[0] === "{" || text[0] === "[")) return void locateFlow(text, 0, "", found)
    let path = ""
    let indent = at - lineStart
    while (text[at] === "-" && /\s/.test(text[at + 1] ?? "\n")) {
      path = outline.place(at - lineStart, "list", "")
      at++
      skip()
      found(path, at)
      indent = at - lineStart
    }
    const separator = /[{[]/.test(text[at] ?? "") ? -1 : endOfKey(text, at, ":")
    if (separator !== -1) {
      path = outline.place(indent, "map", unquoted(text.slice(at, separator)))
      found(path, at)
      at = separator + 1
      skip()
    }
    lineStart = skipValue(text, at, indent, path, found)
  }
}

/** `a.b` and `a."b"` of a TOML key; keys of bunlb hold no dots. */
function tomlPath(path: string, key: string): string {
  return key
    .split(".")
    .map(unquoted)
    .reduce((outer, word) => join(outer, word), path)
}

export function locateToml(text: string, found: Found): void {
  const counts = new Map<string, number>()
  let table = ""
  let lineStart = 0
  while (lineStart < text.length) {
    let at = lineStart
    while (text[at] === " " || text[at] === "\t") at++
    const header = /^(\[\[?)([^\]\n]+)\]/.exec(text.slice(at, at + 300))
    if (header) {
      table = tomlPath("", header[2] ?? "")
      if (header[1] === "[[") {
        const index = counts.get(table) ?? 0
        counts.set(table, index + 1)
        table = `${table}[${index}]`
      }
      found(table, at)
      lineStart = nextLine(text, at)
      continue
    }
    const separator = text[at] === "#" ? -1 : endOfKey(text, at, "=")
    if (separator === -1) {
      lineStart = nextLine(text, at)
      continue
    }
    const path = tomlPath(table, text.slice(at, separator))
    found(path, at)
    at = separator + 1
    while (text[at] === " " || text[at] === "\t") at++
    lineStart = skipValue(text, at, -1, path, found)
  }
}
