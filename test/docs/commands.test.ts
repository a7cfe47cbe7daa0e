/**
 * Every command of README.md and docs/ is run, or it is known why not (`ways.ts`) and that what it names exists; and
 * every file that they show for bunlb is one that bunlb takes. Takes a few seconds, nearly all of it starts.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { bunlb as checked } from "../cli/fake-terminal.ts"
import { settingRows } from "../../src/config/schema/schema.ts"
import { withPrograms } from "../support/left-out.ts"
import { root } from "../support/source.ts"
import { spawnBunlb } from "../support/processes.ts"
import { blocksOf, commandsOf, mentionsOf, pages, type Block, type Command } from "./pages.ts"
import { Sandbox } from "./sandbox.ts"
import { wayOf } from "./ways.ts"

const START_MS = 15_000

/** Made by what is typed wrong, on purpose: mistakes.test.ts makes that page. */
const tried = pages().filter(({ path }) => path !== "docs/mistakes.md")
const commands = tried.flatMap(commandsOf)
const mentions = tried.flatMap(mentionsOf)
/** Said within a sentence, and complete: `bunlb drain BACKEND --wait`. */
const said = mentions.filter(({ text }) => {
  return wayOf(text) === "run" && !/^bunlb check( --print| -c)?$/.test(text)
})
const ofWay = (way: string): Command[] => commands.filter(({ text }) => wayOf(text) === way)

const { scripts, engines } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  readonly scripts: Readonly<Record<string, string>>
  readonly engines: Readonly<Record<string, string>>
}

/** Files that begin with another program's words. */
const foreign = /^(apiVersion|scrape_configs|services|name|groups|global|http|providers|image):/m

const files = tried
  .flatMap(blocksOf)
  .filter(({ language, text }) =>
    language === "json" ? text.includes('"backends"') : ["yaml", "toml"].includes(language),
  )
  .filter(({ text }) => !foreign.test(text))

const example = (language: string): string =>
  files.find((file) => file.page === "README.md" && file.language === language)?.text ?? ""

/** Each once, however many pages show it. */
function once<T extends { readonly text: string }>(all: readonly T[]): T[] {
  return [...new Map(all.map((each) => [each.text, each] as const)).values()]
}

let sandbox: Sandbox
beforeAll(async () => {
  sandbox = await Sandbox.open({ "bunlb.yaml": example("yaml") })
})
afterAll(() => sandbox[Symbol.asyncDispose]())

describe("commands of the pages", () => {
  test("are found", () => {
    expect(commands.length).toBeGreaterThan(20)
    expect(ofWay("start").length).toBeGreaterThan(5)
    expect(ofWay("run").length).toBeGreaterThan(2)
    expect(mentions.length).toBeGreaterThan(30)
  })

  test("have a way to be tried, or a reason why not: test/docs/ways.ts", () => {
    expect(commands.filter(({ text }) => wayOf(text) === null)).toEqual([])
  })

  test.each(once(ofWay("start")).map(({ place, text }) => [text, place]))(
    "%s serves",
    async (text) => {
      await using bunlb = sandbox.start(text)
      await bunlb.line(/ -> .*|listening on/, START_MS)
    },
  )

  const run = async (text: string): Promise<void> => {
    await using bunlb = sandbox.ask(text)
    const code = await bunlb.exited(START_MS)
    expect([code, bunlb.lines.join("\n")]).toEqual([0, expect.any(String)])
  }
  const texts = once([...ofWay("run"), ...said]).map(({ text }) => text)
  const byCurl = texts.filter((text) => text.startsWith("curl "))
  test.each(texts.filter((text) => !byCurl.includes(text)))("%s", run)
  withPrograms("commands of the pages that begin with curl", "curl").each(byCurl)("%s", run)
})

describe("what is not run", () => {
  const known = new Map<string, Promise<string>>()
  /** The help of a subcommand, which names all its flags. */
  const help = (word: string): Promise<string> => {
    const asked = known.get(word) ?? readHelp(word)
    known.set(word, asked)
    return asked
  }
  const unrun = [...commands.filter(({ text }) => typeof wayOf(text) === "object"), ...mentions]

  test("names flags of bunlb that there are", async () => {
    const lost: string[] = []
    for (const { place, text } of unrun) {
      const [, word = "", rest = ""] = /^bunlb (?:\[?(\w+)\]?)?(.*)/.exec(text) ?? []
      if (!text.startsWith("bunlb ")) continue
      const page = await help(word === "" || word === "help" ? "run" : word)
      for (const [flag] of rest.matchAll(/(?<![\w-])--?[a-z][a-z-]*/g)) {
        const isKnown = flag === "--version" || flag === "--verbose" || flag === "--help"
        if (!isKnown && !names(page, flag)) lost.push(`${place}: ${text}: ${flag}`)
      }
    }
    expect(lost).toEqual([])
  }, 20_000)

  test("names scripts that there are, with flags that they know", () => {
    const lost = unrun.flatMap(({ place, text }) => {
      const [, version, script, file, rest = ""] =
        /^(?:npx --yes bun@(\S+)|bun) (?:run (\S+)|(scripts\/\S+))(.*)/.exec(text) ?? []
      if (script === undefined && file === undefined) return []
      const line = script === undefined ? file : scripts[script]
      const source = /scripts\/[\w-]+\.ts/.exec(line ?? "")?.[0]
      const faults: string[] = []
      if (version !== undefined && version !== engines["bun"]) faults.push(`bun@${version}`)
      if (line === undefined) faults.push(`no script ${script}`)
      if (source !== undefined && !existsSync(join(root, source))) faults.push(`no ${source}`)
      else if (source !== undefined) {
        const code = readFileSync(join(root, source), "utf8")
        for (const [, flag = ""] of rest.matchAll(/--([a-z][a-z-]*)/g)) {
          if (!new RegExp(`\\b${flag}\\b`).test(code)) faults.push(`no flag --${flag}`)
        }
      }
      return faults.map((fault) => `${place}: ${text}: ${fault}`)
    })
    expect(lost).toEqual([])
  })

  test("names files of this repository that there are", () => {
    const lost = commands.flatMap(({ place, text }) =>
      [...text.matchAll(/(?<![\w/.-])(?:scripts|docs|test|src)\/[\w./-]+/g)]
        .filter(([path]) => !existsSync(join(root, path)))
        .map(([path]) => `${place}: ${path}`),
    )
    expect(lost).toEqual([])
  })

  test("names settings that there are", () => {
    const keys = settingRows.map(({ key }): string => key)
    const groups = new Set(keys.filter((key) => key.includes(".")).map((key) => key.split(".")[0]))
    const lost = tried.flatMap(({ path, text }) =>
      [...text.matchAll(/`([a-z_]+)\.([a-z_]+)(?=[`:])/g)]
        .filter(([, group, key]) => groups.has(group) && !keys.includes(`${group}.${key}`))
        .map(([name]) => `${path}: ${name}`),
    )
    expect(lost).toEqual([])
  })

  test("names variables that there are", () => {
    const own = settingRows.map(({ key }) => `BUNLB_${key.toUpperCase().replaceAll(".", "_")}`)
    const others = [
      "BUNLB_CONFIG",
      "BUNLB_TEST_EXECUTABLE",
      "BUNLB_TEST_IMAGE",
      "BUNLB_UPDATE_DOCS",
      "BUNLB_SCREENSHOTS",
    ]
    const lost = tried.flatMap(({ path, text }) =>
      [...text.matchAll(/\bBUNLB_(?!E_)[A-Z_]+(?![A-Z_*]|…)/g)]
        .filter(([name]) => ![...own, ...others].includes(name))
        .map(([name]) => `${path}: ${name}`),
    )
    expect(lost).toEqual([])
  })
})

describe("files of the pages", () => {
  test.each(files.map((file) => [`${file.page}:${file.line}`, file] as const))(
    "%s is taken",
    async (_place, { language, text }: Block) => {
      const file = join(sandbox.folder, `shown.${language}`)
      await Bun.write(file, text)
      const backend = /^backends\b/m.test(text) ? [] : ["-b", "10.0.0.1:8080"]
      const more = { BUNLB_ACCESS_LOG_PATH: "stdout", PORT: "8080" }
      const { code, complaints } = await checked(["check", "-c", file, ...backend], more)
      const faults = complaints.split("\n").filter((line) => !/^(warning: .*)?$/.test(line))
      expect([code, faults]).toEqual([0, []])
    },
  )
})

/** Asked of this process where that can be, for a start takes its time. */
async function readHelp(word: string): Promise<string> {
  const { code, out } = await checked([word, "--help", "all"])
  if (code === 0) return out
  await using bunlb = spawnBunlb([word, "--help", "all"])
  await bunlb.exited()
  return bunlb.lines.join("\n")
}

function names(page: string, flag: string): boolean {
  return new RegExp(`(^|[\\s,])${flag.replace("--no-", "--\\[no-\\]")}\\b`, "m").test(page)
}
