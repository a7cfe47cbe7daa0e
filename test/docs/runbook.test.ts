/**
 * docs/runbook.md has a row for everything that bunlb can say of itself, and none for what it says no more. Both are
 * read from the code, so that neither can be forgotten.
 */
import { describe, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { families } from "../../src/observe/families.ts"
import { root, sourceFiles } from "../support/source.ts"
import { logLines } from "./log-lines.ts"

const page = readFileSync(join(root, "docs/runbook.md"), "utf8")
const src = sourceFiles("src")
const sourceOf = (...paths: string[]): string =>
  src
    .filter(({ path }) => paths.some((each) => path.startsWith(each)))
    .map(({ text }) => text)
    .join()

/** What calls take from elsewhere, and the rows that tell of it. */
const built: Readonly<Record<string, readonly string[]>> = {
  "src/cli/run.ts: line": ["insecure: the certificates of TLS backends are NOT verified"],
  "src/master/fleet.ts: line": [
    "worker N (pid N) was killed by SIGNAL after N s; starting it again",
    "worker N (pid N) hung, silent for N s, and was killed after N s; starting it again",
    "worker N (pid N) exited with code N after N s; starting it again in N ms",
    "worker N (pid N) failed (FAULT) after N s; starting it again in N ms",
    "backend BACKEND is unhealthy: N probes failed, last: REASON",
    "backend BACKEND is healthy again after N s: N probes succeeded",
    "no backend is healthy: N of N take connections but do not answer GET PATH as expected " +
      "(REASON): FATE. If they are well, change health.path, health.expect or health.timeout",
  ],
  "src/service/run.ts: startLine(settings": [
    "bunlb VERSION: http://ADDRESS -> N backends (STRATEGY), N workers, admin http://ADDRESS",
  ],
  "src/master/control/control.ts: end": [
    "reloaded: N changes",
    "not reloaded: everything stays as it was",
    "not reloaded everywhere",
  ],
  "src/master/control/control.ts: String(error": ["ERROR"],
}

interface Row {
  readonly section: string
  readonly cells: readonly string[]
}

/** All rows of all tables, with the heading that they are under. */
function rows(): Row[] {
  let section = ""
  return page.split("\n").flatMap((line) => {
    section = /^##+ (.*)/.exec(line)?.[1] ?? section
    const isRow = /^\| (?!-)/.test(line)
    return isRow
      ? [
          {
            section,
            cells: line
              .slice(2, -2)
              .split(" | ")
              .map((cell) => cell.trim()),
          },
        ]
      : []
  })
}

const all = rows()
const codeOfCell = (cell: string = ""): string[] =>
  [...cell.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code)

/** The codes in the first cells of a section. */
function listed(section: string): string[] {
  return all.filter((row) => row.section === section).flatMap(({ cells }) => codeOfCell(cells[0]))
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")
const patternOf = (text: string): RegExp =>
  new RegExp(`^${text.split("…").map(escaped).join("(.*)")}$`)

describe("log lines", () => {
  const lines = logLines()
  const told = ["Start, reload, end", "Backends", "Clients and workers", "The watcher", "Traces"]
    .flatMap((section) => all.filter((row) => row.section === section))
    .filter(({ cells }) => cells[0]?.startsWith("`"))
    .map(({ cells }) => ({ text: codeOfCell(cells[0])[0] ?? "", level: cells[1] ?? "" }))

  test("are found in the code", () => {
    expect(lines.length).toBeGreaterThan(25)
    expect(lines.map(({ text }) => text)).toContain("drained; nothing was cut")
  })

  test("each has its row, with its level", () => {
    const missing = lines
      .filter(({ isText }) => isText)
      .filter(({ text, level }) => {
        const pattern = patternOf(text)
        return !told.some((row) => row.level === level && pattern.test(row.text))
      })
    expect(missing).toEqual([])
  })

  test("what comes from elsewhere is known, and has its rows", () => {
    const found = lines.filter(({ isText }) => !isText).map(({ path, text }) => `${path}: ${text}`)
    expect([...new Set(found)].toSorted()).toEqual(Object.keys(built).toSorted())
    const texts = told.map(({ text }) => text)
    expect(
      Object.values(built)
        .flat()
        .filter((text) => !texts.includes(text)),
    ).toEqual([])
  })

  test("no row tells of a line that is no more", () => {
    const patterns = lines.filter(({ isText }) => isText).map(({ text }) => patternOf(text))
    const known = Object.values(built).flat()
    const stale = told.filter(({ text }) => {
      return !known.includes(text) && !patterns.some((pattern) => pattern.test(text))
    })
    expect(stale).toEqual([])
    // What is put together elsewhere is at least made of words that are in the code.
    const code = sourceOf("src/master/", "src/service/", "src/config/warnings.ts", "src/health/")
    const words = known.flatMap((text) => text.match(/\b[a-z]{5,}\b/g) ?? [])
    expect(words.filter((word) => !code.includes(word.replace(/s$/, "")))).toEqual([])
  })
})

describe("what programs read", () => {
  test("every metric has its row, and every row its metric", () => {
    expect(listed("Metrics").toSorted()).toEqual(families.map(({ name }) => name).toSorted())
  })

  test("every error code of the admin API", () => {
    const code = sourceOf("src/admin/", "src/master/", "src/service/")
    const used = [...code.matchAll(/(?:new Refused\(|\d, |code: )"([a-z_]+)"/g)].map(
      ([, word]) => word,
    )
    expect(listed("Errors of the admin API").toSorted()).toEqual(
      [...new Set(used as string[])].toSorted(),
    )
  })

  test("every state of backends and workers", () => {
    const union = (name: string, code: string): string[] => {
      const [, words = ""] =
        new RegExp(`type ${name} =([^\\n]*(?:\\n +\\|[^\\n]*)*)`).exec(code) ?? []
      return [...words.matchAll(/"(\w+)"/g)].map(([, word = ""]) => word)
    }
    const states = [
      ...union("BackendState", sourceOf("src/master/figures/status.ts")),
      ...union("SlotState", sourceOf("src/master/supervise/slot-options.ts")),
    ]
    expect(states.length).toBeGreaterThan(8)
    expect(listed("States").toSorted()).toEqual(states.toSorted())
  })

  test("every letter of an end state", () => {
    const [, words = ""] =
      /type Who =(.*)/.exec(sourceOf("src/proxy/core/exchange-record.ts")) ?? []
    const letters = [...words.matchAll(/"(.)"/g)].map(([, letter = ""]) => letter)
    expect(letters.length).toBeGreaterThan(8)
    expect(listed("End states")).toEqual(letters)
  })

  test("every reason for which a backend is unhealthy is one that the code gives", () => {
    const code = sourceOf(
      "src/net/",
      "src/proxy/",
      "src/worker/",
      "src/health/",
      "src/http/",
      "src/h1/",
    )
    const reasons = listed("Why a backend is unhealthy").map((each) =>
      each.replace(/ (N|REASON)$/, " ").replace(/: wrong version number$/, ""),
    )
    expect(reasons.length).toBeGreaterThan(10)
    expect(reasons.filter((reason) => !code.includes(reason))).toEqual([])
    const certificates = [...code.matchAll(/: "(certificate [a-z ]+)"/g)].map(
      ([, text = ""]) => text,
    )
    expect(certificates.filter((text) => !reasons.includes(text))).toEqual([])
  })
})
