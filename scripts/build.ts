/**
 * Builds dist/bunlb, one executable with everything in it, and runs it, because a build that says nothing can
 * still have made a broken file. Works without a network: the runtime that is packed is the one that runs this.
 *
 *   bun scripts/build.ts
 */
import { statSync } from "node:fs"
import { join } from "node:path"
import manifest from "../package.json" with { type: "json" }

const root = join(import.meta.dir, "..")
const outfile = join(root, "dist", "bunlb")

/** `--bytecode` needs `--format=esm`. Without the last two the executable obeys a .env or bunfig.toml of its folder. */
const flags = [
  "--compile",
  "--minify",
  "--bytecode",
  "--format=esm",
  "--sourcemap",
  "--no-compile-autoload-dotenv",
  "--no-compile-autoload-bunfig",
]

if (Bun.version !== manifest.engines.bun) {
  fail(
    `this is bun ${Bun.version}; bunlb is built with ${manifest.engines.bun}: npm i -g bun@${manifest.engines.bun}`,
  )
}
const build = Bun.spawnSync(
  [process.execPath, "build", ...flags, "src/main.ts", "--outfile", outfile],
  { cwd: root, stdout: "inherit", stderr: "inherit" },
)
if (build.exitCode !== 0) fail("the build failed")

const begun = performance.now()
const proof = Bun.spawnSync([outfile, "--version"], { cwd: "/", env: {} })
const took = Math.round(performance.now() - begun)
const said = proof.stdout.toString().trim()
if (proof.exitCode !== 0 || !said.includes(manifest.version)) {
  fail(`dist/bunlb --version said ${JSON.stringify(said)}: ${proof.stderr.toString().trim()}`)
}
const megabytes = (statSync(outfile).size / 1e6).toFixed(1)
console.log(`dist/bunlb: ${megabytes} MB; ${said}, answered in ${took} ms`)

function fail(reason: string): never {
  console.error(`build: ${reason}`)
  process.exit(1)
}
