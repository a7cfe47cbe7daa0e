/** The pages that people read, and what in them can be tried: commands, code and files. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { root } from "../support/source.ts"

export interface Page {
  readonly path: string
  readonly text: string
}

export interface Block {
  readonly page: string
  /** Of its first line of text, from 1. */
  readonly line: number
  readonly language: string
  readonly text: string
}

export interface Command {
  /** `docs/install.md:21` */
  readonly place: string
  /** On one line, without comment. */
  readonly text: string
}

export function pages(): readonly Page[] {
  const docs = readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md"))
  return ["README.md", "CHANGELOG.md", ...docs.map((name) => `docs/${name}`)].map((path) => ({
    path,
    text: readFileSync(join(root, path), "utf8"),
  }))
}

/** Fenced blocks; one without a language has "". */
export function blocksOf({ path, text }: Page): Block[] {
  const blocks: Block[] = []
  let open: { line: number; language: string; lines: string[] } | null = null
  for (const [index, line] of text.split("\n").entries()) {
    const fence = /^ *```(\S*)/.exec(line)
    if (fence === null) open?.lines.push(line)
    else if (open === null) open = { line: index + 2, language: fence[1] ?? "", lines: [] }
    else {
      const { lines, ...rest } = open
      blocks.push({ page: path, ...rest, text: lines.join("\n") })
      open = null
    }
  }
  return blocks
}

/** What blocks of `sh` and `bash` hold, and the lines after `$ ` in blocks that show a terminal. */
export function commandsOf(page: Page): Command[] {
  return blocksOf(page).flatMap((block) => {
    const isShell = block.language === "sh" || block.language === "bash"
    const isSession = block.language === "" || block.language === "text"
    if (!isShell && !isSession) return []
    const lines = joined(block.text)
    return lines.flatMap(([text, offset]) => {
      const shown = isShell ? text : (/^\$ (.*)/.exec(text)?.[1] ?? "")
      const command = withoutComment(shown)
      return command === ""
        ? []
        : [{ place: `${block.page}:${block.line + offset}`, text: command }]
    })
  })
}

/** Code within a line that begins with one of our programs: `bunlb drain BACKEND --wait`. */
export function mentionsOf(page: Page): Command[] {
  return page.text
    .split("\n")
    .flatMap((line, index) =>
      [...line.matchAll(/`((?:bunlb|bun run|bun scripts\/\S+|npx --yes \S+ run) [^`]+)`/g)].map(
        ([, text = ""]) => ({ place: `${page.path}:${index + 1}`, text }),
      ),
    )
}

/** Lines that end with a backslash go on in the next. */
function joined(text: string): [line: string, offset: number][] {
  const lines: [string, number][] = []
  let pending: [string, number] | null = null
  for (const [offset, line] of text.split("\n").entries()) {
    const whole: [string, number] =
      pending === null ? [line, offset] : [`${pending[0]} ${line.trim()}`, pending[1]]
    const goesOn = whole[0].endsWith("\\")
    pending = goesOn ? [whole[0].slice(0, -1).trimEnd(), whole[1]] : null
    if (!goesOn) lines.push(whole)
  }
  return lines
}

/** Nor the `&` that puts it into the background. Nothing that we write has a `#` after a blank within quotes. */
function withoutComment(line: string): string {
  return line
    .replace(/(^|\s+)#.*$/, "")
    .replace(/&\s*$/, "")
    .trim()
}
