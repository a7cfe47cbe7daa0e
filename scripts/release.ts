/**
 * Makes a release in dist/release/: executables for each platform, each also packed by gzip, the manual page,
 * completion scripts, SHA256SUMS, and the bill of materials.
 *
 *   bun run release [--verify] [TARGET...]     e.g. linux-x64 darwin-arm64; none is all
 *
 * The runtime of another platform comes from npm. Where one cannot be had, it is named and passed over; the exit code
 * is 0 as long as this machine's own is made. `--verify` builds each a second time, elsewhere, and compares the bytes.
 */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync } from "node:fs"
import { rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { billOfMaterials } from "./release/bill-of-materials.ts"
import { compile } from "./release/compile.ts"
import { checkFormat } from "./release/format.ts"
import { tryEmulated, tryInBareRoot, tryVersion } from "./release/smoke.ts"
import { readSource, root } from "./release/source.ts"
import { hostTarget, RuntimeMissing, runtimeOf, targets } from "./release/targets.ts"
import type { Target } from "./release/targets.ts"

const folder = join(root, "dist", "release")
const source = readSource()
const words = process.argv.slice(2)
const verifies = words.includes("--verify")
const names = words.filter((word) => word !== "--verify")
const unknown = names.filter((name) => !targets.some((target) => target.name === name))
if (unknown.length > 0) {
  const known = targets.map(({ name }) => name).join(", ")
  console.error(`release: no such target: ${unknown.join(", ")}; there are ${known}`)
  process.exit(2)
}

const scratch = mkdtempSync(join(tmpdir(), "bunlb-release-"))
try {
  process.exitCode = await release()
} finally {
  rmSync(scratch, { recursive: true })
}

async function release(): Promise<number> {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  console.log(`bunlb ${source.version}, commit ${source.commit}, ${source.date}`)
  const missing: string[] = []
  for (const target of targets) {
    if (names.length > 0 && !names.includes(target.name)) continue
    try {
      await make(target)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      if (!(error instanceof RuntimeMissing) || target.name === hostTarget()) {
        console.error(`release: ${target.name}: ${reason}`)
        return 1
      }
      missing.push(target.name)
      console.log(`${target.name}: passed over: ${reason}`)
    }
  }
  await Bun.write(join(folder, "bunlb.cdx.json"), billOfMaterials(source))
  await writePages(join(folder, `bunlb-${source.version}-${hostTarget()}`))
  await writeSums()
  const absent = missing.length === 0 ? "" : `; without ${missing.join(", ")}`
  console.log(`dist/release: ${readdirSync(folder).length} files${absent}`)
  return 0
}

/** Builds one, and tries it as far as this machine can. */
async function make(target: Target): Promise<void> {
  const runtime = runtimeOf(target, scratch)
  const file = join(folder, `bunlb-${source.version}-${target.name}`)
  compile(source, file, { target: target.bun, runtime })
  const facts = [`${megabytes(file)} MB, ${await pack(file)} packed`, checkFormat(file, target)]
  if (verifies) facts.push(await sameAgain(target, runtime, file))
  if (target.name === hostTarget()) {
    facts.push(tryVersion(file, source), await tryInBareRoot(file, source, scratch))
  } else {
    const tried = await tryEmulated(file, source, target.name)
    if (tried !== null) facts.push(tried)
  }
  console.log(`${target.name}: ${facts.join("; ")}`)
}

/** Beside it, what there is to download: half the size. Gives the megabytes. */
async function pack(file: string): Promise<string> {
  const bytes = await Bun.file(file).bytes()
  // zlib's bytes depend on the CPU that packs; libdeflate's do not.
  await Bun.write(`${file}.gz`, Bun.gzipSync(bytes, { level: 9, library: "libdeflate" }))
  return megabytes(`${file}.gz`)
}

function megabytes(file: string): string {
  return (statSync(file).size / 1e6).toFixed(1)
}

/** A second build into another folder must be the same bytes. */
async function sameAgain(target: Target, runtime: string, first: string): Promise<string> {
  // The name of the outcome is part of it.
  const second = join(scratch, "again", first.slice(folder.length + 1))
  const elsewhere = join(scratch, "elsewhere-bun")
  copyFileSync(runtime, elsewhere)
  compile(source, second, { target: target.bun, runtime: elsewhere })
  const [one, two] = [await digest(first), await digest(second)]
  if (one !== two) throw new Error(`two builds differ: ${one} and ${two}`)
  rmSync(second)
  return "a second build is byte-equal"
}

/** What the executable of this machine prints for shells and for man(1), so that packages need not run it. */
async function writePages(program: string): Promise<void> {
  if (!existsSync(program)) return
  const pages = [
    ["bunlb.1", "man"],
    ["bunlb.bash", "completion", "bash"],
    ["_bunlb", "completion", "zsh"],
    ["bunlb.fish", "completion", "fish"],
  ]
  for (const [name = "", ...words] of pages) {
    const { stdout, exitCode } = Bun.spawnSync([program, ...words])
    if (exitCode !== 0) throw new Error(`bunlb ${words.join(" ")} failed`)
    await Bun.write(join(folder, name), stdout)
  }
}

async function writeSums(): Promise<void> {
  const lines: string[] = []
  for (const name of readdirSync(folder).toSorted()) {
    lines.push(`${await digest(join(folder, name))}  ${name}\n`)
  }
  await Bun.write(join(folder, "SHA256SUMS"), lines.join(""))
}

async function digest(path: string): Promise<string> {
  const hash = new Bun.CryptoHasher("sha256")
  for await (const piece of Bun.file(path).stream()) hash.update(piece)
  return hash.digest("hex")
}
