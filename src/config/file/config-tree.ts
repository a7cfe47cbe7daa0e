/**
 * The text of a configuration file, parsed, with the place of every key in it. Parsing is Bun's;
 * the places are found by the locators, because Bun.YAML, Bun.TOML and JSON give values only.
 */
import { locateToml, locateYaml } from "./block-locator.ts"
import { locateFlow } from "./flow-locator.ts"

export interface Place {
  /** From 1. */
  readonly line: number
  readonly column: number
}

export type FileFormat = "yaml" | "toml" | "json"

export interface ConfigTree {
  /** The file as it was named, for error lines. */
  readonly name: string
  readonly format: FileFormat
  readonly root: unknown
  /** Where `health.interval` or `backends[1].weight` stands, or null when that is not known. */
  place(path: string): Place | null
  /** Paths written more than once: YAML and JSON would silently take the last. */
  readonly duplicates: readonly string[]
}

/** The text is not YAML, TOML or JSON; `place` is where, when it is known. */
export class ConfigSyntaxError extends Error {
  override readonly name = "ConfigSyntaxError"

  constructor(
    message: string,
    readonly place: Place | null,
  ) {
    super(message)
  }
}

/** By extension, or null for one that is not known. */
export function formatOf(name: string): FileFormat | null {
  const extension = /\.([a-z]+)$/i.exec(name)?.[1]?.toLowerCase()
  if (extension === "yml") return "yaml"
  return (["yaml", "toml", "json"] as const).find((format) => format === extension) ?? null
}

/** Tells places in `text`. A file may have thousands of keys, so its lines are found once, at the first question. */
function placesIn(text: string): (offset: number) => Place {
  const starts: number[] = []
  return (offset) => {
    if (starts.length === 0) {
      starts.push(0)
      for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) {
        starts.push(at + 1)
      }
    }
    let [low, high] = [0, starts.length - 1]
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if ((starts[middle] ?? 0) <= offset) low = middle
      else high = middle - 1
    }
    return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 }
  }
}

/** JSON's parser names no place; these two mistakes are most of what people make in it. */
function jsonMistake(text: string): ConfigSyntaxError | null {
  const pattern = /"(?:[^"\\\n]|\\.)*"|,(?=\s*[}\]])|\/\/|\/\*|#/g
  for (const match of text.matchAll(pattern)) {
    if (match[0].startsWith('"')) continue
    const place = placesIn(text)(match.index)
    const comma = match[0] === ","
    const fault = comma ? "a comma before a closing bracket" : "a comment"
    return new ConfigSyntaxError(`${fault} is not JSON, remove it or write YAML`, place)
  }
  return null
}

function parse(text: string, format: FileFormat): unknown {
  try {
    if (format === "yaml") return Bun.YAML.parse(text)
    return format === "toml" ? Bun.TOML.parse(text) : JSON.parse(text)
  } catch (error) {
    const mistake = format === "json" ? jsonMistake(text) : null
    if (mistake) throw mistake
    const message = error instanceof Error ? error.message : String(error)
    throw new ConfigSyntaxError(message.replace(/^\w+ Parse error: /, ""), null)
  }
}

/** Where each key and list entry of a text that parses begins; `again` hears of a path that has been seen before. */
export function locate(
  text: string,
  format: FileFormat,
  again: (path: string) => void = () => {},
): ReadonlyMap<string, number> {
  const offsets = new Map<string, number>()
  const found = (path: string, offset: number): void => {
    if (offsets.has(path)) again(path)
    offsets.set(path, offset)
  }
  if (format === "yaml") locateYaml(text, found)
  else if (format === "toml") locateToml(text, found)
  else locateFlow(text, 0, "", found)
  return offsets
}

/** Throws `ConfigSyntaxError`. An empty file is an empty tree. */
export function parseConfig(name: string, source: string, format: FileFormat): ConfigTree {
  const text = source.replace(/^\uFEFF/, "")
  const root = (text.trim() === "" && format === "json" ? null : parse(text, format)) ?? {}
  const duplicates: string[] = []
  const offsets = locate(text, format, (path) => {
    if (format !== "toml") duplicates.push(path)
  })
  const placeAt = placesIn(text)
  return {
    name,
    format,
    root,
    duplicates,
    place(path) {
      const offset = offsets.get(path)
      return offset === undefined ? null : placeAt(offset)
    },
  }
}
