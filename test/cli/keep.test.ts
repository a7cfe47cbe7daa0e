/** `--save` within a pool: the right list of the file is changed, and all else stays as somebody wrote it. */
import { afterAll, expect, test } from "bun:test"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { readFlags } from "../../src/cli/flags.ts"
import { keeper } from "../../src/cli/keep.ts"
import { askedSettings, settingFlags } from "../../src/cli/setting-flags.ts"
import type { Terminal } from "../../src/cli/terminal.ts"
import type { BackendSettings } from "../../src/config/schema/settings.ts"
import { Refused } from "../../src/master/control/refused.ts"
import { painter } from "../../src/observe/colour.ts"

const folder = mkdtempSync(join(tmpdir(), "bunlb-keep-"))
afterAll(() => rmSync(folder, { recursive: true }))

const silent: Terminal = {
  out: () => {},
  complain: () => {},
  paint: painter(false),
  paintComplaint: painter(false),
  environment: {},
  machine: { cpus: 2, platform: "linux", privileged: true },
}

type Lists = Readonly<Record<string, (list: readonly BackendSettings[]) => BackendSettings[]>>

/** The text of the file after the lists of some pools were changed, or the refusal. */
async function kept(
  format: string,
  text: string,
  lists: Lists,
  words: readonly string[] = [],
): Promise<string> {
  const file = join(folder, `x.${format}`)
  writeFileSync(file, text)
  const typed = readFlags(["-c", file, ...words], settingFlags)
  const { settings } = await askedSettings(typed, silent)
  const wanted = new Map(
    Object.entries(lists).map(([name, change]) => {
      const pool = settings.pools.find((each) => each.name === name)
      return [name, change(pool?.backends ?? [])]
    }),
  )
  try {
    await keeper(typed, silent)(settings, wanted)
  } catch (error) {
    if (error instanceof Refused) return error.message.replaceAll(folder, "FOLDER")
    throw error
  }
  return readFileSync(file, "utf8")
}

const heavier = (list: readonly BackendSettings[]) =>
  list.map((each, at) => (at === 0 ? { ...each, weight: 4 } : each))
const drained = (list: readonly BackendSettings[]) =>
  list.map((each): BackendSettings => ({ ...each, duty: "drain" }))
const shorter = (list: readonly BackendSettings[]) => list.slice(1)

const yaml = `# all of them
backends: [10.0.0.1:80, 10.0.0.2:80]
pools:
  api: # the API
    backends:
      - 10.0.0.1:80 # old
      - 10.0.0.3:80
    strategy: weighted
  thumbs: [10.0.0.1:80, "10.0.0.4:80"] # short
  ledger:
    - 10.0.0.5:80
    - 10.0.0.1:80
`
const toml = `backends = ["10.0.0.1:80"]
[pools]
thumbs = ["10.0.0.1:80", "10.0.0.2:80"] # short
[pools.api]
strategy = "weighted"
[[pools.api.backends]]
host = "10.0.0.1"
port = 80 # old
[[pools.api.backends]]
host = "10.0.0.3"
port = 80
`
const json = `{
  "pools": {
    "default": ["10.0.0.1:80"],
    "api": { "backends": [{ "host": "10.0.0.1", "port": 80 }, "10.0.0.2:80"], "strategy": "weighted" }
  }
}
`

test.each<[string, string, Lists, string, string]>([
  ["yaml", yaml, { default: heavier }, "[10.0.0.1:80,", '["10.0.0.1:80,weight=4",'],
  ["yaml", yaml, { api: heavier }, "80 # old", "80,weight=4 # old"],
  ["yaml", yaml, { api: shorter }, "      - 10.0.0.1:80 # old\n", ""],
  ["yaml", yaml, { thumbs: drained }, '80, "10.0.0.4:80"', '80,drain", "10.0.0.4:80,drain"'],
  ["yaml", yaml, { ledger: shorter }, "    - 10.0.0.5:80\n", ""],
  ["toml", toml, { api: heavier }, "80 # old\n", "80 # old\nweight = 4\n"],
  ["toml", toml, { thumbs: shorter }, '"10.0.0.1:80", ', ""],
  ["toml", toml, { default: heavier }, '80"]', '80,weight=4"]'],
  ["json", json, { default: heavier }, '["10.0.0.1:80"]', '["10.0.0.1:80,weight=4"]'],
  ["json", json, { api: heavier }, '"port": 80 }', '"port": 80, "weight": 4 }'],
])("%s %#", async (format, text, lists, from, to) => {
  let expected = text.replace(from, () => to)
  if (lists["thumbs"] === drained) expected = expected.replace("thumbs: [", 'thumbs: ["')
  expect(expected).not.toBe(text)
  expect(await kept(format, text, lists)).toBe(expected)
})

test("changes of several pools are one change of the file", async () => {
  const after = yaml
    .replace("80 # old", "80,weight=4 # old")
    .replace("    - 10.0.0.5:80\n", "    - 10.0.0.5:80,weight=4\n")
  expect(await kept("yaml", yaml, { api: heavier, ledger: heavier })).toBe(after)
})

test("what a flag says is not in the file", async () => {
  const [, rest = ""] = yaml.split("pools:")
  const text = `pools:${rest}`
  expect(await kept("yaml", text, { default: heavier }, ["-b", "a:80"])).toBe(
    "not saved and not done: the backends are from --backend, " +
      "not from FOLDER/x.yaml: it cannot be saved there",
  )
  const words = ["--pool", "api=a:80"]
  expect(await kept("yaml", yaml, { api: heavier }, words)).toBe(
    "not saved and not done: the pools are from --pool, " +
      "not from FOLDER/x.yaml: it cannot be saved there",
  )
})

test("a list that two pools share through an anchor is not changed for one of them", async () => {
  const text = `backends: [z:80]
pools:
  api: &api { backends: [10.0.0.1:80, 10.0.0.2:80] }
  same: *api
`
  const why =
    "not saved and not done: FOLDER/x.yaml is written in a way that cannot be changed here: " +
    "do it by hand, reload"
  expect(await kept("yaml", text, { api: heavier })).toBe(why)
  expect(await kept("yaml", text, { same: heavier })).toBe(why)
  expect(await kept("yaml", text, { default: heavier })).toBe(
    text.replace("[z:80]", '["z:80,weight=4"]'),
  )
})
