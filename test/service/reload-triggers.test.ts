/** What makes bunlb read its configuration again: SIGHUP, and files that have changed and come to rest. */
import { afterAll, afterEach, expect, test } from "bun:test"
import { mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileState } from "../../src/config/file/plain-file.ts"
import { ReloadTriggers } from "../../src/service/reload-triggers.ts"
import { until } from "../support/until.ts"

const LOOK_MS = 5
const PATIENCE_MS = 5_000
const folder = mkdtempSync(join(tmpdir(), "bunlb-triggers-"))
const path = (name: string): string => join(folder, name)
const cleanup: (() => void)[] = []

afterAll(() => rmSync(folder, { recursive: true }))
afterEach(() => {
  for (const clean of cleanup.splice(0)) clean()
})

interface Watched {
  reloads: number
  readonly triggers: ReloadTriggers
}

function watched(file: string | null, on = true, others = new Map<string, string>()): Watched {
  const triggers = new ReloadTriggers(file, on, () => others, LOOK_MS)
  const state = { reloads: 0, triggers }
  triggers.begin(() => state.reloads++)
  cleanup.push(() => triggers.stop())
  return state
}

const reloads = (state: Watched, count: number): Promise<boolean> =>
  until(() => state.reloads === count, PATIENCE_MS, `${count} reloads`)

/** Another look has been made, as a change of `probe` shows: what was there before it has been seen. */
async function looks(): Promise<void> {
  const probe = path("probe.yaml")
  writeFileSync(probe, "0")
  const witness = watched(probe)
  writeFileSync(probe, "another")
  await reloads(witness, 1)
  witness.triggers.stop()
}

test("SIGHUP reloads, until the triggers are stopped", () => {
  const state = watched(null, false)
  process.emit("SIGHUP")
  process.emit("SIGHUP")
  expect(state.reloads).toBe(2)
  state.triggers.stop()
  expect(process.listeners("SIGHUP")).toEqual([])
})

test("a change is read once, when the file has come to rest", async () => {
  const file = path("a.yaml")
  writeFileSync(file, "one")
  const state = watched(file)
  writeFileSync(file, "a second text")
  await reloads(state, 1)
  await looks()
  expect(state.reloads).toBe(1)
})

test("a file that is replaced, or a link that leads to another file, has changed", async () => {
  const [file, next, link] = [path("b.yaml"), path("b.next"), path("b.link")]
  writeFileSync(file, "one")
  symlinkSync(file, link)
  const state = watched(link)
  writeFileSync(next, "two!")
  renameSync(next, file)
  await reloads(state, 1)
  writeFileSync(next, "three")
  symlinkSync(next, `${link}.new`)
  renameSync(`${link}.new`, link)
  await reloads(state, 2)
})

test("a file that is away is not read; when it is back and another, it is", async () => {
  const file = path("c.yaml")
  writeFileSync(file, "one")
  const state = watched(file)
  unlinkSync(file)
  await looks()
  expect(state.reloads).toBe(0)
  writeFileSync(file, "another text")
  await reloads(state, 1)
})

test("a CA file counts as well, and one that is new among them has not changed", async () => {
  const [file, ca, later] = [path("d.yaml"), path("d.pem"), path("e.pem")]
  writeFileSync(file, "one")
  writeFileSync(ca, "certificate")
  writeFileSync(later, "certificate")
  const others = new Map([[ca, fileState(ca)]])
  const state = watched(file, true, others)
  writeFileSync(ca, "another certificate")
  await reloads(state, 1)
  others.set(ca, fileState(ca))
  others.set(later, fileState(later))
  await looks()
  expect(state.reloads).toBe(1)
  writeFileSync(later, "a renewed certificate")
  await reloads(state, 2)
})

test("without `watch` nothing is looked at, and what changed meanwhile is no news afterwards", async () => {
  const file = path("f.yaml")
  writeFileSync(file, "one")
  const state = watched(file, false)
  writeFileSync(file, "a second text")
  await looks()
  expect(state.reloads).toBe(0)
  state.triggers.watch(true)
  await looks()
  expect(state.reloads).toBe(0)
  writeFileSync(file, "a third, longer text")
  await reloads(state, 1)
})
