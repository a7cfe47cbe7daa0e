/**
 * What was probably meant by a text that is not YAML or TOML. The parsers say only where they stopped; these are the
 * mistakes that people make there.
 */
import { optionNames } from "../schema/backend-advice.ts"
import type { FileFormat } from "./config-tree.ts"

const OPTION = new RegExp(`^(?:${optionNames.join("|")})\\b`)

/** `; options follow a comma: - a:80,weight=3`, or nothing. `line` is where the parser stopped, from 1. */
export function syntaxAdvice(text: string, format: FileFormat, line: number): string {
  const lines = text.split("\n")
  const here = lines[line - 1] ?? ""
  const before = lines.slice(0, line - 1).findLast((each) => each.trim() !== "") ?? ""
  if (format === "yaml") return yamlAdvice(here, before)
  if (format === "toml") return tomlAdvice(here)
  return ""
}

function yamlAdvice(here: string, before: string): string {
  const entry = /^\s*-\s+["']?([^\s"'{}[\]]+)["']?\s*$/.exec(before)?.[1]
  const option = /^\s+(\w+)\s*:\s*(\S*)\s*$/.exec(here)
  if (entry !== undefined && option !== null && OPTION.test(option[1] ?? "")) {
    const [, name = "", value = ""] = option
    const words = value === "true" || value === "" ? name : `${name}=${value}`
    return `; the options of a backend follow a comma, in its line: - ${entry},${words}`
  }
  if (/^\s*-[^\s-]/.test(here) || /^\s*-[^\s-]/.test(before)) {
    return '; an entry of a list begins with a dash and a blank, "- "'
  }
  const address = /^\s*(?:-\s+|[\w.-]+:\s+)(\[[\da-f:.]+\]:\d+)/i.exec(here)?.[1]
  if (address !== undefined) return `; put quotes around the value: "${address}"`
  const value = /^\s*(?:-\s+)?[\w.]+:\s+([^"'\s#[{|>].*?)\s*$/.exec(here)?.[1]
  const isOdd = value !== undefined && (/^[*&!%@`]/.test(value) || /:(\s|$)/.test(value))
  return isOdd ? `; put quotes around the value: "${value}"` : ""
}

function tomlAdvice(here: string): string {
  if (/^\s*[\w.-]+\s*:/.test(here)) return "; TOML has = between key and value"
  const value = /=\s*([^"'\s[{#][^#]*?)\s*(?:#.*)?$/.exec(here)?.[1]
  const isPlain = value === undefined || /^([+-]?[\d_.]+|true|false)$/.test(value)
  return isPlain ? "" : `; put quotes around a text: "${value}"`
}
