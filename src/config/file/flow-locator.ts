/**
 * Finds where keys and entries stand inside `{ ... }` and `[ ... ]`: all of a JSON file, YAML's
 * flow style and TOML's arrays and inline tables. It runs on text that a parser has accepted, so it
 * is lenient and only has to be right.
 */

/** Told the path and offset of each key and list entry. */
export type Found = (path: string, offset: number) => void

/** A limit on nesting, so that a hostile file cannot exhaust the stack. */
const MAX_DEPTH = 64

/** `path.key`, or `key` at the top. */
export function join(path: string, key: string): string {
  return path === "" ? key : `${path}.${key}`
}

/**
 * Offset behind the quoted string that begins at `start`. Handles `"..."`, `'...'` and their
 * tripled forms.
 */
export function endOfString(text: string, start: number): number {
  const quote = text[start] ?? ""
  const triple = quote.repeat(3)
  if (text.startsWith(triple, start)) {
    const end = text.indexOf(triple, start + 3)
    return end === -1 ? text.length : end + 3
  }
  let at = start + 1
  while (at < text.length && text[at] !== quote) at += text[at] === "\\" && quote === '"' ? 2 : 1
  return Math.min(at + 1, text.length)
}

export function skipBlank(text: string, start: number): number {
  let at = start
  for (;;) {
    while (at < text.length && /\s/.test(text[at] ?? "")) at++
    if (text[at] !== "#") return at
    const newline = text.indexOf("\n", at)
    at = newline === -1 ? text.length : newline
  }
}

/** Offset behind a key, a number or a plain word. */
export function endOfWord(text: string, start: number, role: "key" | "value"): number {
  const first = text[start]
  if (first === '"' || first === "'") return endOfString(text, start)
  let at = start
  while (at < text.length && !/[,\]}\n]/.test(text[at] ?? "")) {
    const colon = text[at] === ":" && /[\s,\]}]/.test(text[at + 1] ?? " ")
    if (role === "key" && (colon || text[at] === "=")) break
    at++
  }
  return at
}

export function unquoted(word: string): string {
  const quoted = /^(["'])(.*)\1$/s.exec(word.trim())
  return quoted ? (quoted[2] ?? "") : word.trim()
}

/** Reports everything inside the value at `start`; returns the offset behind it. */
export function locateFlow(
  text: string,
  start: number,
  path: string,
  found: Found,
  depth = 0,
): number {
  let at = skipBlank(text, start)
  const open = text[at]
  if ((open !== "{" && open !== "[") || depth > MAX_DEPTH) return endOfWord(text, at, "value")
  const close = open === "{" ? "}" : "]"
  at = skipBlank(text, at + 1)
  for (let index = 0; at < text.length && text[at] !== close; index++) {
    const before = at
    const end = open === "{" ? endOfWord(text, at, "key") : at
    const inner = open === "{" ? join(path, unquoted(text.slice(at, end))) : `${path}[${index}]`
    found(inner, at)
    at = skipBlank(text, end)
    if (open === "{" && (text[at] === ":" || text[at] === "=")) at++
    at = skipBlank(text, locateFlow(text, at, inner, found, depth + 1))
    if (text[at] === ",") at = skipBlank(text, at + 1)
    // Text that no rule knows must not hold the loop for ever.
    if (at === before) at++
  }
  return at + 1
}
