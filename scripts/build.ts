/**
 * Builds dist/bunlb, one executable with everything in it, and runs it, because a build that says nothing can
 * still have made a broken file. Works without a network: the runtime that is packed is the one that runs this.
 *
 *   bun scripts/build.ts
 */
import { statSync } from "node:fs"
import { join } from "node:path"
import { compile } from "./release/compile.ts"
import { readSource, root } from "./release/source.ts"

const outfile = join(root, "dist", "bunlb")
const source = readSource()
try {
  compile(source, outfile)
} catch (error) {
  fail(error instanceof Error ? error.message : String(error))
}

const begun = performance.now()
const proof = Bun.spawnSync([outfile, "--version"], { cwd: "/", env: {} })
const took = Math.round(performance.now() - begun)
const said = proof.stdout.toString().trim()
if (proof.exitCode !== 0 || !said.includes(source.version)) {
  fail(`dist/bunlb --version said ${JSON.stringify(said)}: ${proof.stderr.toString().trim()}`)
}
const megabytes = (statSync(outfile).size / 1e6).toFixed(1)
console.log(`dist/bunlb: ${megabytes} MB; ${said}, answered in ${took} ms`)

function fail(reason: string): never {
  console.error(`build: ${reason}`)
  process.exit(1)
}
