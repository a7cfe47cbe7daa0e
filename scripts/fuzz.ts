/**
 * The fuzzers of test/fuzz for as long as you like, with a seed of your choice:
 *
 *   bun scripts/fuzz.ts [--seconds 60] [--seed N] [--only a|b|c]
 *
 * (a) messages against a reference parser, (b) the same bytes cut in pieces, (c) a whole balancer between bad clients
 * and bad backends. The time is shared by those that run. What is found is made small, shown, and kept in
 * test/fuzz/cases, where the tests try it again from then on.
 */
import { join } from "node:path"
import { parseArgs } from "node:util"

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 1e9)) },
    only: { type: "string", default: "abc" },
  },
})

/** Tests of each fuzzer: (b) has one for the scanner and one for the sockets. */
const tests: Readonly<Record<string, number>> = { a: 1, b: 2, c: 1, abc: 4 }

const count = tests[values.only] ?? fail(`no fuzzer is called ${values.only}: a, b, c`)
const seconds = positive(values.seconds, "seconds") / count
const seed = positive(values.seed, "seed")
console.log(`seed ${seed}, ${Math.round(seconds)} s for each of ${count}`)

const pattern = `^[${values.only}]: `
const child = Bun.spawn(
  [process.execPath, "test", "test/fuzz/fuzz.test.ts", "--test-name-pattern", pattern],
  {
    cwd: join(import.meta.dir, ".."),
    env: { ...process.env, BUNLB_FUZZ_SECONDS: String(seconds), BUNLB_FUZZ_SEED: String(seed) },
    stdio: ["ignore", "inherit", "inherit"],
  },
)
process.exit(await child.exited)

function positive(text: string, what: string): number {
  const value = Number(text)
  return value > 0 ? value : fail(`--${what} wants a number above 0`)
}

function fail(reason: string): never {
  console.error(`fuzz: ${reason}`)
  process.exit(2)
}
