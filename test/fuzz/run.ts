/**
 * How long the fuzzers run, from which seed, and what they do with what they find. In the tests: a fixed number of
 * cases from a fixed seed. For `bun run fuzz` the environment says more, and finds are kept as files.
 */
import { createHash } from "node:crypto"
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { rng, type Rng } from "../support/until.ts"
import type { MessageCase } from "./heads.ts"
import { shrunk } from "./shrink.ts"
import type { StreamCase } from "./streams.ts"
import type { Round } from "./traffic.ts"
import type { WireStreamCase } from "./wire-streams.ts"

export type Case =
  | ({ readonly fuzzer: "heads" } & MessageCase)
  | ({ readonly fuzzer: "streams" } & StreamCase)
  | ({ readonly fuzzer: "wire" } & WireStreamCase)
  | { readonly fuzzer: "proxy"; readonly round: Round }

const { BUNLB_FUZZ_SEED, BUNLB_FUZZ_SECONDS } = process.env

const seed = Number(BUNLB_FUZZ_SEED ?? 1)
/** Seconds for each fuzzer, or null for as many cases as a test asks for. */
const seconds = BUNLB_FUZZ_SECONDS === undefined ? null : Number(BUNLB_FUZZ_SECONDS)

/** Longer than any run. */
export const TIME_LIMIT_MS = ((seconds ?? 0) + 60) * 1000

/**
 * Draws cases until enough have been tried; fails with the first that `judge` objects to, made small by `shrink` and
 * shown with its seed.
 */
export async function tryMany<T extends Case>(
  count: number,
  draw: (chance: Rng, index: number) => T,
  judge: (drawn: T) => string | null | Promise<string | null>,
  shrink: (drawn: T) => T = (drawn) => drawn,
): Promise<void> {
  const chance = rng(seed)
  const until = performance.now() + (seconds ?? 0) * 1000
  let tried = 0
  for (; seconds === null ? tried < count : performance.now() < until; tried++) {
    const drawn = draw(chance, tried)
    const first = await judge(drawn)
    if (first === null) continue
    const small = shrink(drawn)
    const fault = (await judge(small)) ?? `it does not happen every time; at first: ${first}`
    const place = seconds === null ? "" : `, kept as ${keep(small)}`
    throw new Error(`seed ${seed}, case ${tried}${place}: ${JSON.stringify(small)}\n${fault}`)
  }
  if (seconds !== null) console.log(`seed ${seed}: ${tried} cases`)
}

/** A text without the characters that it fails without. */
export function shrunkText(text: string, fails: (part: string) => boolean): string {
  return shrunk([...text], (part) => fails(part.join(""))).join("")
}

const folder = join(import.meta.dir, "cases")

function keep(found: Case): string {
  const text = `${JSON.stringify(found, null, 2)}\n`
  const name = `${found.fuzzer}-${createHash("sha256").update(text).digest("hex").slice(0, 8)}.json`
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, name), text)
  return name
}

/** What was found before, by the name of its file. */
export function keptCases(): [name: string, kept: Case][] {
  return readdirSync(folder).map((name) => [
    name,
    JSON.parse(readFileSync(join(folder, name), "utf8")) as Case,
  ])
}
