/**
 * The house rules, kept by a test instead of by reviewers. A rule is a function from a file to its faults; each
 * is first shown a sample that it must refuse, so that no rule passes because it has gone blind.
 */
import { describe, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { codeOf, exportsOf, importsOf, root, sourceFiles } from "./support/source.ts"
import type { SourceFile } from "./support/source.ts"

const FILE_LINES = 400
const MEDIAN_LINES = 120
const FUNCTION_LINES = 70
const COLUMNS = 100
const PROSE_COLUMNS = 120

interface Rule {
  readonly name: string
  /** Text of a file that breaks the rule; `path` when the rule looks at it. */
  readonly canary: string
  readonly path?: string
  readonly faults: (file: SourceFile) => string[]
}

const rules: readonly Rule[] = [
  {
    name: `files have at most ${FILE_LINES} lines`,
    canary: "let a = 1\n".repeat(FILE_LINES + 1),
    faults: ({ text }) => (linesOf(text) > FILE_LINES ? [`${linesOf(text)} lines`] : []),
  },
  {
    name: `functions have at most ${FUNCTION_LINES} lines`,
    canary: `function long(): void {\n${"  go()\n".repeat(FUNCTION_LINES)}}\n`,
    faults: longFunctions,
  },
  {
    name: `code has at most ${COLUMNS} columns and prose ${PROSE_COLUMNS}`,
    canary: `const sum = ${"1 + ".repeat(30)}1\n`,
    faults: wideLines,
  },
  {
    name: "nothing is left for later",
    canary: `// ${["TO", "DO"].join("")}: later\n`,
    faults: ({ text }) =>
      linesWhere(text, (line) => /\b(TO)(DO)\b|\b(FIX)(ME)\b|\bX(XX)\b|\bHA(CK)\b/.test(line)),
  },
  {
    name: "no any",
    canary: "function f(x: any): void {}\n",
    faults: ({ text }) =>
      linesWhere(codeOf(text), (line) => /(?<![.\w])any\b(?!\s*[(:=])/.test(line)),
  },
  {
    name: "the type checker is never silenced",
    canary: `// @ts-${"ignore"}\n`,
    faults: ({ text }) =>
      linesWhere(text, (line) => /@ts-(ignore|nocheck|expect-error)/.test(line)),
  },
  {
    name: "a non-null assertion has its reason beside it",
    canary: "const a = b!\n",
    faults: bareAssertions,
  },
  {
    name: "names say what a file is for",
    canary: "",
    path: "src/http/utils.ts",
    faults: ({ path }) => (/(^|\/)(utils?|helpers?|misc|common)(\.|\/)/.test(path) ? [path] : []),
  },
  {
    name: "nothing knows the machine it was written on",
    canary: `const log = "/${"home"}/me/log"\n`,
    faults: ({ text }) => linesWhere(text, (line) => /\/home\/\w|\/work\/\w|\/root\/\w/.test(line)),
  },
]

const sourceRule: Rule = {
  name: "a source file begins with its promise",
  canary: "const a = 1\n",
  faults: ({ text }) => (/^(#!.*\n)?\/\*\*/.test(text) ? [] : ["no doc comment on top"]),
}

const src = sourceFiles("src")
const all = [...src, ...sourceFiles("test", "scripts")]

describe("every file", () => {
  test.each(rules.map((rule) => [rule.name, rule] as const))("%s", (_name, rule) =>
    check(rule, all),
  )
})

test(`style sheets have at most ${FILE_LINES} lines, and begin with what they are for`, () => {
  for (const path of new Bun.Glob("src/**/*.css").scanSync({ cwd: root })) {
    const text = readFileSync(join(root, path), "utf8")
    expect(linesOf(text), path).toBeLessThanOrEqual(FILE_LINES)
    expect(text, path).toMatch(/^\/\* [A-Z].*\. \*\/\n/)
  }
})

describe("src", () => {
  test(sourceRule.name, () => check(sourceRule, src))

  test(`the median file has at most ${MEDIAN_LINES} lines`, () => {
    const lengths = src.map(({ text }) => linesOf(text)).toSorted((a, b) => a - b)
    expect(lengths[lengths.length >> 1]).toBeLessThanOrEqual(MEDIAN_LINES)
  })

  test("every export is used by another file", () => {
    const canary = [
      { path: "src/a.ts", text: "export const used = 1\nexport const dead = used\n" },
      { path: "test/b.ts", text: 'import { used } from "../src/a.ts"\n' },
    ]
    expect(deadExports(canary)).toEqual(["src/a.ts: dead"])
    expect(deadExports(all)).toEqual([])
  })
})

describe("the package", () => {
  const read = (path: string): string => readFileSync(join(root, path), "utf8")

  test("has two runtime dependencies, pinned", () => {
    const { dependencies, devDependencies, engines } = JSON.parse(read("package.json"))
    expect(dependencies).toEqual({ citty: "0.2.2", consola: "3.4.2" })
    expect(devDependencies).toEqual({ "bun-types": engines.bun })
  })

  test("has a lock file that names no address", () => {
    expect(read("bun.lock")).not.toContain("http")
  })
})

describe("the scanner", () => {
  test("blanks comments, strings and templates, keeps the code between them", () => {
    const text = 'a // any\nb /* any\nany */ c "any" `any ${d["any"]} any` e = /any["/]/.f / 2 / g'
    expect(codeOf(text).replace(/ +/g, " ")).toBe("a \nb \n c d[ ] e = .f / 2 / g")
    expect(codeOf('x = /"any/g.test(`${a ? `${b}any` : {}}any`) + any')).toMatch(
      /^x = +\.test\( +a \? +b +: {} +\) \+ any$/,
    )
    expect(codeOf(text)).toHaveLength(text.length)
  })
})

function check(rule: Rule, files: readonly SourceFile[]): void {
  expect(rule.faults({ path: rule.path ?? "src/canary.ts", text: rule.canary })).not.toEqual([])
  const faults = files.flatMap((file) => rule.faults(file).map((fault) => `${file.path}: ${fault}`))
  expect(faults).toEqual([])
}

function linesOf(text: string): number {
  return text.split("\n").length - 1
}

function linesWhere(text: string, isFault: (line: string) => boolean): string[] {
  const lines = text.split("\n")
  return lines.flatMap((line, index) => (isFault(line) ? [`${index + 1}: ${line.trim()}`] : []))
}

/** Code has 100 columns without what its strings hold, for a string is never broken; comments have 120. */
function wideLines({ text }: SourceFile): string[] {
  const code = codeOf(text).split("\n")
  return text.split("\n").flatMap((line, index) => {
    const isProse = /^\s*(\/?\*|\/\/)/.test(line)
    const withoutStrings = (code[index] ?? "").trimEnd().replace(/(?<=\S) +/g, " ")
    const width = [...(isProse ? line : withoutStrings)].length
    const limit = isProse ? PROSE_COLUMNS : COLUMNS
    return width > limit ? [`${index + 1}: ${width} columns: ${line.trim()}`] : []
  })
}

/** From the line that opens a body to the brace that closes it; suites of tests and classes do not count. */
function longFunctions({ text }: SourceFile): string[] {
  const original = text.split("\n")
  const lines = codeOf(text).split("\n")
  return lines.flatMap((line, index) => {
    const opens = /(=>|\)(: .+)?) \{$/.test(line) && !/^\s*(describe|class|interface)\b/.test(line)
    const length = opens ? linesToClose(lines, index) : 0
    return length > FUNCTION_LINES
      ? [`${index + 1}: ${length} lines: ${original[index]?.trim()}`]
      : []
  })
}

/** Lines from the brace that ends line `first` to the one that closes it. */
function linesToClose(lines: readonly string[], first: number): number {
  let depth = 1
  for (let index = first + 1; index < lines.length; index++) {
    for (const [brace] of (lines[index] ?? "").matchAll(/[{}]/g)) {
      depth += brace === "{" ? 1 : -1
      if (depth === 0) return index - first + 1
    }
  }
  return lines.length - first
}

function bareAssertions({ text }: SourceFile): string[] {
  const original = text.split("\n")
  const lines = codeOf(text).split("\n")
  const isComment = (index: number): boolean => /\/\/|\*\//.test(original[index] ?? "")
  return lines.flatMap((line, index) => {
    const asserts = /[\w)\]]!(?![=\w])/.test(line)
    const explained = isComment(index) || isComment(index - 1)
    return asserts && !explained ? [`${index + 1}: ${line.trim()}`] : []
  })
}

/**
 * Exports of src that no other file takes. A module taken whole counts for every name its taker writes; a type
 * counts as used when its own file uses it, since it then belongs to the signature of something that is.
 */
function deadExports(files: readonly SourceFile[]): string[] {
  const used = new Set<string>()
  for (const file of files) {
    for (const { from, names } of importsOf(file)) {
      for (const name of names ?? file.text.match(/\w+/g) ?? []) used.add(`${from}: ${name}`)
    }
  }
  const isSpoken = ({ text }: SourceFile, name: string): boolean =>
    new RegExp(`^export (type|interface) ${name}\\b`, "m").test(text) &&
    text.match(new RegExp(`\\b${name}\\b`, "g"))?.length !== 1
  return files
    .filter(({ path }) => path.startsWith("src/"))
    .flatMap((file) =>
      exportsOf(file)
        .filter((name) => !used.has(`${file.path}: ${name}`) && !isSpoken(file, name))
        .map((name) => `${file.path}: ${name}`),
    )
}
