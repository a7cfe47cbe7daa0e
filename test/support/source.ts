/**
 * Source files as the house rules see them: their text, their code without comments and strings, and what they
 * import and export. A scanner of a page instead of a parser: the formatter has already made the text regular.
 */
import { existsSync, readFileSync } from "node:fs"
import { dirname, join, normalize } from "node:path"

export const root = join(import.meta.dir, "..", "..")

export interface SourceFile {
  /** From the root of the repository. */
  readonly path: string
  readonly text: string
}

/** All TypeScript files under the named folders. */
export function sourceFiles(...folders: string[]): SourceFile[] {
  const found = folders.flatMap((folder) => [
    ...new Bun.Glob(`${folder}/**/*.ts`).scanSync({ cwd: root, onlyFiles: true }),
  ])
  return found.toSorted().map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }))
}

/** One alternative a token: comments, strings, template parts, regular expressions after an operator. */
const opaque = new RegExp(
  [
    String.raw`\/\*[\s\S]*?\*\/`,
    String.raw`\/\/[^\n]*`,
    String.raw`"(?:[^"\\\n]|\\.)*"`,
    String.raw`'(?:[^'\\\n]|\\.)*'`,
    String.raw`(?<=(?:[(,=:[!&|?{};]|=>|return|^)\s*)\/(?![*/])(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*`,
    "`",
    "[{}]",
  ].join("|"),
  "g",
)

/** The text with comments, strings and regular expressions blanked out; every line keeps its place and length. */
export function codeOf(text: string): string {
  const kept: string[] = []
  /** For each open brace, whether it is the `${` of a template. */
  const braces: boolean[] = []
  let at = 0
  opaque.lastIndex = 0
  const keepUpTo = (end: number): void => {
    kept.push(text.slice(at, end))
    at = end
  }
  const blankUpTo = (end: number): void => {
    kept.push(blank(text.slice(at, end)))
    at = opaque.lastIndex = end
  }
  for (let match = opaque.exec(text); match !== null; match = opaque.exec(text)) {
    keepUpTo(match.index)
    const [token] = match
    if (token === "{") braces.push(false)
    else if (token === "`" || (token === "}" && braces.pop() === true)) {
      const end = endOfTemplatePart(text, at + 1)
      if (text[end - 1] === "{") braces.push(true)
      blankUpTo(end)
    } else if (token !== "}") blankUpTo(at + token.length)
  }
  keepUpTo(text.length)
  return kept.join("")
}

/** Where a template ends or its next `${` has been opened. */
function endOfTemplatePart(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    if (text[at] === "\\") at++
    else if (text[at] === "`") return at + 1
    else if (text[at] === "$" && text[at + 1] === "{") return at + 2
  }
  return text.length
}

function blank(text: string): string {
  return text.replace(/[^\n]/g, " ")
}

export interface Import {
  /** Path from the root for a relative import, else the name of the module. */
  readonly from: string
  /** Names taken, or null when the whole module is taken (`import *`, `import()`). */
  readonly names: readonly string[] | null
}

const staticImport =
  /^(?:import|export)\s+(?:type\s+)?(\*(?:\s+as\s+\w+)?|\w+)?,?\s*(?:\{([^}]*)\})?\s*from\s+"([^"]+)"/gm
const dynamicImport = /\bimport\(\s*"([^"]+)"\s*\)/g
const bareImport = /^import\s+"([^"]+)"/gm

/** Every module that the file names, statically, for its effects alone, or at run time. */
export function importsOf({ path, text }: SourceFile): Import[] {
  const resolve = (from: string): string =>
    from.startsWith(".") ? normalize(join(dirname(path), from)) : from
  const imports: Import[] = []
  for (const [, whole, list, from = ""] of text.matchAll(staticImport)) {
    const names = (list ?? "").split(",").map((name) => name.trim().replace(/^type\s+/, ""))
    const taken = names.filter((name) => name !== "").map((name) => name.split(/\s+as\s+/)[0] ?? "")
    if (whole !== undefined && !whole.startsWith("*")) taken.push("default")
    imports.push({ from: resolve(from), names: whole?.startsWith("*") === true ? null : taken })
  }
  for (const [, from = ""] of text.matchAll(bareImport)) {
    imports.push({ from: resolve(from), names: [] })
  }
  for (const { 1: from = "", index } of text.matchAll(dynamicImport)) {
    const line = text.slice(text.lastIndexOf("\n", index) + 1, index)
    if (!/^\s*(\*|\/\/)/.test(line)) imports.push({ from: resolve(from), names: null })
  }
  return imports
}

const declaration =
  /^export\s+(?:declare\s+)?(?:abstract\s+)?(?:async\s+)?(?:function\*?|class|const|let|type|interface|enum)\s+(\w+)/gm
const exportList = /^export\s+(?:type\s+)?\{([^}]*)\}(?!\s*from)/gm

/** Names that the file declares and exports. */
export function exportsOf({ text }: SourceFile): string[] {
  const declared = [...text.matchAll(declaration)].map(([, name = ""]) => name)
  const listed = [...text.matchAll(exportList)].flatMap(([, list = ""]) =>
    list.split(",").map(
      (name) =>
        name
          .trim()
          .split(/\s+as\s+/)
          .at(-1) ?? "",
    ),
  )
  const named = [...declared, ...listed].filter((name) => name !== "")
  return /^export default /m.test(text) ? [...named, "default"] : named
}

export function exists(path: string): boolean {
  return existsSync(join(root, path))
}
