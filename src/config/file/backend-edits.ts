/**
 * Changes of backends in the text of a configuration file: one of them is altered, added or taken out, and everything
 * else stays as somebody wrote it, comments, order and quotes too.
 */
import { backend as backendType } from "../schema/backend.ts"
import { nextLine } from "./block-locator.ts"
import { backendSpans, type EntrySpan, type ListSpan, type Span } from "./backend-spans.ts"
import type { FileFormat } from "./config-tree.ts"
import type { BackendSettings } from "../schema/settings.ts"

/** What can be said of a backend at run time. */
export type Option = "weight" | "drain" | "disabled"

export type BackendEdit =
  | { readonly kind: "set"; readonly at: number; readonly option: Option; value: number | boolean }
  | { readonly kind: "add"; readonly backend: BackendSettings }
  | { readonly kind: "remove"; readonly at: number }

/** What makes of `before`, as the file has it, the backends of `after`; in an order in which they can be made. */
export function editsBetween(
  before: readonly BackendSettings[],
  after: readonly BackendSettings[],
): readonly BackendEdit[] {
  const sets: BackendEdit[] = []
  const removes: BackendEdit[] = []
  const kept = new Set<string>()
  for (const [at, was] of before.entries()) {
    const is = after.find(({ name }) => name === was.name)
    if (is === undefined || !isSame(was, is)) removes.unshift({ kind: "remove", at })
    else {
      kept.add(is.name)
      const [old, fresh] = [optionsOf(was), optionsOf(is)]
      for (const option of ["weight", "drain", "disabled"] as const) {
        const value = fresh[option]
        if (value !== old[option]) sets.push({ kind: "set", at, option, value })
      }
    }
  }
  const adds = after.filter(({ name }) => !kept.has(name))
  return [...sets, ...adds.map((backend) => ({ kind: "add", backend }) as const), ...removes]
}

function optionsOf({ weight, duty }: BackendSettings): Readonly<Record<Option, number | boolean>> {
  return { weight, drain: duty === "drain", disabled: duty === "off" }
}

/** But for what can be set. */
function isSame(some: BackendSettings, other: BackendSettings): boolean {
  const rest = ({ weight: _, duty: __, ...more }: BackendSettings) => JSON.stringify(more)
  return rest(some) === rest(other)
}

/** A list of backends as a file has it. */
export interface ListInFile {
  /** `backends`, `pools.api.backends`, or `pools.api` where that is the list itself. */
  readonly path: string
  /** Its entries as parsed. */
  readonly raw: readonly unknown[]
}

/** The text with one change; null when it is written in a way that cannot be changed here. */
export function edited(
  text: string,
  format: FileFormat,
  { path, raw }: ListInFile,
  edit: BackendEdit,
): string | null {
  const list = backendSpans(text, format, path)
  if (list === null || list.entries.length !== raw.length) return null
  const page = new Page(text, format, path, list)
  if (edit.kind === "add") return page.add(edit.backend)
  const entry = list.entries[edit.at]
  if (entry === undefined) return null
  return edit.kind === "remove" ? page.remove(edit.at) : page.set(entry, raw[edit.at], edit)
}

class Page {
  readonly #text: string
  readonly #format: FileFormat
  readonly #path: string
  readonly #list: ListSpan
  readonly #eol: string

  constructor(text: string, format: FileFormat, path: string, list: ListSpan) {
    this.#text = text
    this.#format = format
    this.#path = path
    this.#list = list
    this.#eol = text.includes("\r\n") ? "\r\n" : "\n"
  }

  set(
    entry: EntrySpan,
    raw: unknown,
    { option, value }: { readonly option: Option; readonly value: number | boolean },
  ): string | null {
    if (entry.style === "word") {
      if (typeof raw !== "string") return null
      return this.#replace(entry, this.#quoted(withOption(raw, option, value), entry))
    }
    const key = entry.keys.get(option)
    if (key !== undefined) return this.#replace(key.value, String(value))
    const last = [...entry.keys.values()].at(-1)
    if (last === undefined) return null
    const said = this.#pair(option, value)
    if (entry.style === "block") return this.#insertLine(last.end, this.#indent(last.start) + said)
    const lined = this.#isFirstOfLine(last.start)
    const blank = lined ? this.#eol + this.#indent(last.start) : " "
    return this.#insert(last.end, `,${blank}${said}`)
  }

  add(backend: BackendSettings): string | null {
    const { style, entries } = this.#list
    const last = entries.at(-1)
    if (last === undefined) return null
    const line = backendType.format(backend)
    if (style === "flow") return this.#addToFlow(last, JSON.stringify(line))
    if (this.#format === "toml") return this.#addTable(last, backend)
    const [dash = ""] = /^[ \t]*/.exec(this.#text.slice(this.#lineStart(last.start))) ?? []
    const word = isPlain(line) ? line : JSON.stringify(line)
    return this.#insertLine(last.end, `${dash}- ${word}`)
  }

  remove(at: number): string | null {
    const { style, entries } = this.#list
    const [entry, next, before] = [entries[at], entries[at + 1], entries[at - 1]]
    if (entry === undefined || entries.length < 2) return null
    if (style === "block") {
      return this.#cut(this.#lineStart(entry.start), nextLine(this.#text, entry.end))
    }
    if (!this.#ownsLines(entry)) {
      if (next !== undefined) return this.#cut(entry.start, next.start)
      return before === undefined ? null : this.#cut(before.end, entry.end)
    }
    const rest = this.#cut(this.#lineStart(entry.start), nextLine(this.#text, entry.end))
    const dangles = next === undefined && before !== undefined && this.#comma(entry.end) < 0
    const comma = dangles ? this.#comma(before.end) : -1
    return comma < 0 ? rest : rest.slice(0, comma) + rest.slice(comma + 1)
  }

  #addToFlow(last: EntrySpan, word: string): string {
    const comma = this.#comma(last.end)
    if (!this.#ownsLines(last)) return this.#insert(last.end, `, ${word}`)
    const line = this.#indent(last.start) + word
    if (comma >= 0) return this.#insertLine(last.end, `${line},`)
    const page = new Page(this.#insert(last.end, ","), this.#format, this.#path, this.#list)
    return page.#insertLine(last.end + 1, line)
  }

  #addTable(last: EntrySpan, backend: BackendSettings): string {
    const { host, port, tls, weight, backup, ca, duty, discover } = backend
    const pairs = [
      this.#pair("host", host),
      ...(port === 0 ? [] : [this.#pair("port", port)]),
      ...(discover === undefined ? [] : [this.#pair("discover", discover)]),
      ...(tls === (port === 443) ? [] : [this.#pair("tls", tls)]),
      ...(weight === 1 ? [] : [this.#pair("weight", weight)]),
      ...(backup ? [this.#pair("backup", true)] : []),
      ...(ca === null ? [] : [this.#pair("ca", ca)]),
      ...(duty === undefined ? [] : [this.#pair(duty === "off" ? "disabled" : "drain", true)]),
    ]
    return this.#insertLine(last.end, ["", `[[${this.#path}]]`, ...pairs].join(this.#eol))
  }

  #pair(key: string, value: string | number | boolean): string {
    const written = JSON.stringify(value)
    if (this.#format === "toml") return `${key} = ${written}`
    return this.#format === "json" ? `"${key}": ${written}` : `${key}: ${written}`
  }

  /** In the quotes that it has now, where they can hold it. */
  #quoted(word: string, { start }: Span): string {
    const quote = this.#text[start]
    if (quote === "'" && !word.includes("'")) return `'${word}'`
    const bare = quote !== '"' && quote !== "'" && this.#list.style === "block" && isPlain(word)
    return bare ? word : JSON.stringify(word)
  }

  #replace({ start, end }: Span, by: string): string {
    return this.#text.slice(0, start) + by + this.#text.slice(end)
  }

  #insert(at: number, what: string): string {
    return this.#replace({ start: at, end: at }, what)
  }

  #cut(start: number, end: number): string {
    return this.#replace({ start, end }, "")
  }

  /** Below the line that `at` is on. */
  #insertLine(at: number, line: string): string {
    const below = nextLine(this.#text, at)
    const open = this.#text[below - 1] !== "\n"
    return this.#insert(below, open ? this.#eol + line : line + this.#eol)
  }

  #lineStart(at: number): number {
    return this.#text.lastIndexOf("\n", at - 1) + 1
  }

  /** As many blanks as stand before `at`; a dash counts as one. */
  #indent(at: number): string {
    return this.#text.slice(this.#lineStart(at), at).replace(/[^\t]/g, " ")
  }

  #isFirstOfLine(at: number): boolean {
    return this.#text.slice(this.#lineStart(at), at).trim() === ""
  }

  /** Nothing else but a comma and a comment is on its lines. */
  #ownsLines({ start, end }: Span): boolean {
    const behind = this.#text.slice(end, nextLine(this.#text, end))
    return this.#isFirstOfLine(start) && /^\s*,?\s*(#.*)?$/s.test(behind)
  }

  /** Offset of the comma behind `at`, or -1. */
  #comma(at: number): number {
    const blank = /^\s*/.exec(this.#text.slice(at))?.[0].length ?? 0
    return this.#text[at + blank] === "," ? at + blank : -1
  }
}

/** Every reader of YAML takes it for this string, without quotes. */
function isPlain(word: string): boolean {
  return /^[a-z0-9][a-z0-9._:/=,-]*[a-z0-9/]$/i.test(word)
}

/** The line of a backend with another option; what is not said of it holds by default. */
function withOption(line: string, option: Option, value: number | boolean): string {
  const [target = "", ...words] = line.split(",")
  const isDefault = value === 1 || value === false
  const said = isDefault ? [] : [value === true ? option : `${option}=${value}`]
  const at = words.findIndex((word) => word.split("=")[0]?.trim() === option)
  if (at < 0) words.push(...said)
  else words.splice(at, 1, ...said)
  return [target, ...words].join(",")
}
