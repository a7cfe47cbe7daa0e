/** `--save`: what was changed by hand is in the file, with all else that was there, and a restart begins with it. */
import { afterAll, expect, test } from "bun:test"
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { spawnBunlb } from "../support/processes.ts"
import { ScriptedBackend, answering } from "../support/scripted-backend.ts"
import { RunningBunlb } from "./running-bunlb.ts"

const folder = mkdtempSync(join(tmpdir(), "bunlb-save-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const file = join(folder, "bunlb.yaml")
const flags = ["-c", file, "-w", "1"]
const read = (): string => readFileSync(file, "utf8")
const place = ({ port }: { readonly port: number }): string => `127.0.0.1:${port}`
const answered = () => ScriptedBackend.start(answering(() => "well"))

/** `bunlb WORDS` about the one that runs: its last line and how it ended. */
async function say(bunlb: RunningBunlb, ...words: readonly string[]) {
  await using command = spawnBunlb([...words, "--admin", `127.0.0.1:${bunlb.adminPort}`])
  const code = await command.exited()
  return [code, command.lines.at(-1)?.replaceAll(folder, "FOLDER")] as const
}

const saved = [0, "saved in FOLDER/bunlb.yaml"] as const

test("each kind of change: in the file, in force, no word by hand, and there after a restart", async () => {
  using a = await answered()
  using b = await answered()
  using c = await answered()
  const [A, B, C] = [place(a), place(b), place(c)]
  const whole = (backends: string): string =>
    `# ours\nstrategy: weighted # as it is\nbackends:\n${backends}health: { interval: 200ms }\n`
  writeFileSync(file, whole(`  - ${A} # first\n  - "${B}"\n`))
  chmodSync(file, 0o604)
  const rows = async (bunlb: RunningBunlb) => {
    const { backends, byHand = [] } = await bunlb.status()
    const told = backends.map(({ name, weight, state, reason }) =>
      [name, weight, state, state === "up" ? "" : reason].join(" ").trim(),
    )
    return [...told, ...byHand]
  }
  {
    await using bunlb = await RunningBunlb.start([], flags)
    expect(await say(bunlb, "set", "weight", A, "4", "--save")).toEqual(saved)
    expect(read()).toBe(whole(`  - ${A},weight=4 # first\n  - "${B}"\n`))
    expect(await say(bunlb, "add", `${C},weight=2`, "--save")).toEqual(saved)
    expect(await say(bunlb, "drain", B, "--save")).toEqual(saved)
    expect(read()).toBe(whole(`  - ${A},weight=4 # first\n  - "${B},drain"\n  - ${C},weight=2\n`))
    await bunlb.backendIs(b.port, "draining")
    // By hand over what the file says, and then as the file says again.
    await say(bunlb, "enable", B)
    expect(await rows(bunlb)).toEqual([`${A} 4 up`, `${B} 1 up`, `${C} 2 up`, `${B} enabled`])
    expect(await say(bunlb, "disable", B, "--save")).toEqual(saved)
    expect(await say(bunlb, "remove", A, "--save")).toEqual(saved)
    expect(await rows(bunlb)).toEqual([`${B} 1 disabled by the configuration`, `${C} 2 up`])
    expect(await say(bunlb, "reload")).toEqual([0, "reloaded: no changes"])
  }
  expect(read()).toBe(whole(`  - "${B},disabled"\n  - ${C},weight=2\n`))
  expect((statSync(file).mode & 0o777).toString(8)).toBe("604")
  await using again = await RunningBunlb.start([], flags)
  expect(await rows(again)).toEqual([`${B} 1 disabled by the configuration`, `${C} 2 up`])
  expect(await say(again, "enable", B, "--save")).toEqual(saved)
  expect(read()).toBe(whole(`  - "${B}"\n  - ${C},weight=2\n`))
  await again.backendIs(b.port, "up")
}, 60_000)

test("what cannot be saved is not done either, and says why", async () => {
  using a = await answered()
  using b = await answered()
  const [A, B] = [place(a), place(b)]
  const text = `backends: ["${A}"]\n`
  writeFileSync(file, text)
  const why = (reason: string) => [1, `bunlb: not saved and not done: ${reason}`] as const
  {
    await using bunlb = await RunningBunlb.start([], flags)
    expect((await say(bunlb, "add", B))[1]).toBe(
      "not kept: a restart begins with the configuration again; --save writes it there",
    )
    expect(await say(bunlb, "set", "weight", B, "2", "--save")).toEqual([
      1,
      `bunlb: backend ${B} is not in the file itself; keep it first: bunlb add BACKEND --save`,
    ])
    expect(await say(bunlb, "remove", A, "--save")).toEqual([
      1,
      `bunlb: backend ${A} is the last one in the file; add another first`,
    ])
    expect(await say(bunlb, "add", B, "--save")).toEqual(saved)
    expect(read()).toBe(`backends: ["${A}", "${B}"]\n`)
    expect((await bunlb.status()).byHand).toBeUndefined()
    // Somebody else has been at it.
    writeFileSync(file, `backends: ["${A},weight=9", "${B}"]\n`)
    expect(await say(bunlb, "drain", B, "--save")).toEqual(
      why(
        `FOLDER/bunlb.yaml says something else by now (backend ${A}: weight 1 -> 9): bunlb reload first`,
      ),
    )
    expect((await bunlb.status()).backends.map(({ state }) => state)).not.toContain("draining")
    await say(bunlb, "reload")
    writeFileSync(file, `x: &b ${B}\nbackends: ["${A},weight=9", *b]\n`)
    expect((await say(bunlb, "drain", B, "--save"))[1]).toContain("x: unknown key")
  }
  {
    await using bunlb = await RunningBunlb.start([a, b], ["-w", "1"])
    expect(await say(bunlb, "drain", B, "--save")).toEqual(
      why("there is no file to save it in: start bunlb with -c FILE"),
    )
  }
  writeFileSync(file, text)
  await using bunlb = await RunningBunlb.start([a, b], flags)
  expect(await say(bunlb, "drain", B, "--save")).toEqual(
    why("the backends are from --backend, not from FOLDER/bunlb.yaml: it cannot be saved there"),
  )
  expect(read()).toBe(text)
}, 60_000)

test("a spelling that cannot be changed is refused, and others beside it are not", async () => {
  using a = await answered()
  using b = await answered()
  using c = await answered()
  const [A, B, C] = [place(a), place(b), place(c)]
  // Where the environment fills in a weight, another beside it would be one too many.
  const filled = `  - "${B},\${MORE:-weight=2}"\n`
  const text = `backends:\n  - >-\n    ${A}\n${filled}  - ${C}\n`
  writeFileSync(file, text)
  await using bunlb = await RunningBunlb.start([], flags)
  for (const name of [A, B]) {
    expect((await say(bunlb, "set", "weight", name, "7", "--save"))[1]).toBe(
      "bunlb: not saved and not done: FOLDER/bunlb.yaml is written in a way " +
        "that cannot be changed here: do it by hand, reload",
    )
    expect(read()).toBe(text)
  }
  expect(await say(bunlb, "set", "weight", C, "5", "--save")).toEqual(saved)
  expect(read()).toBe(text.replace(C, `${C},weight=5`))
}, 60_000)

test("a change within a pool is in its list of the file, and there after a restart", async () => {
  using a = await answered()
  using b = await answered()
  using c = await answered()
  const [A, B, C] = [place(a), place(b), place(c)]
  const whole = (api: string): string =>
    `health: { interval: 200ms }\nbackends: ["${A}", "${B}"] # the pages\n` +
    `pools:\n  api: # the API\n${api}  other: ["${A}"]\n`
  writeFileSync(file, whole(`    - ${A} # old\n    - ${B}\n`))
  const rows = async (bunlb: RunningBunlb) => {
    const { backends, byHand = [] } = await bunlb.status()
    return [...backends.map(({ name, weight }) => `${name} ${weight}`), ...byHand]
  }
  const expected = [`${A} 1`, `${B} 1`, `api/${B} 1`, `api/${C} 2`, `other/${A} 1`]
  {
    await using bunlb = await RunningBunlb.start([], flags)
    expect(await say(bunlb, "set", "weight", `api/${A}`, "4", "--save")).toEqual(saved)
    expect(read()).toBe(whole(`    - ${A},weight=4 # old\n    - ${B}\n`))
    expect(await say(bunlb, "add", `api/${C},weight=2`, "--save")).toEqual(saved)
    expect(await say(bunlb, "drain", `api/${B}`, "--save")).toEqual(saved)
    expect(read()).toBe(whole(`    - ${A},weight=4 # old\n    - ${B},drain\n    - ${C},weight=2\n`))
    expect(await say(bunlb, "enable", `api/${B}`, "--save")).toEqual(saved)
    expect(await say(bunlb, "remove", `api/${A}`, "--save")).toEqual(saved)
    expect(read()).toBe(whole(`    - ${B}\n    - ${C},weight=2\n`))
    expect((await rows(bunlb)).toSorted()).toEqual(expected.toSorted())
    expect(await say(bunlb, "reload")).toEqual([0, "reloaded: no changes"])
  }
  await using again = await RunningBunlb.start([], flags)
  expect((await rows(again)).toSorted()).toEqual(expected.toSorted())
}, 60_000)
