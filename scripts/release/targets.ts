/** The platforms of a release, and where the runtime of each comes from: npm, or this machine for its own. */
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import manifest from "../../package.json" with { type: "json" }

export interface Target {
  readonly name: string
  /** As `bun build --target` calls it. */
  readonly bun: string
  /** The npm package that has its bun. */
  readonly runtimePackage: string
  readonly format: "elf" | "mach-o"
  readonly machine: "x64" | "arm64"
  /** The dynamic linker of an ELF file. */
  readonly linker: string | null
}

export const targets: readonly Target[] = [
  elf("linux-x64", "linux-x64", "x64", "ld-linux-x86-64.so.2"),
  elf("linux-arm64", "linux-aarch64", "arm64", "ld-linux-aarch64.so.1"),
  elf("linux-x64-musl", "linux-x64-musl", "x64", "ld-musl-x86_64.so.1"),
  elf("linux-arm64-musl", "linux-aarch64-musl", "arm64", "ld-musl-aarch64.so.1"),
  machO("darwin-x64", "darwin-x64", "x64"),
  machO("darwin-arm64", "darwin-aarch64", "arm64"),
]

function elf(name: string, npm: string, machine: Target["machine"], linker: string): Target {
  const runtimePackage = `@oven/bun-${npm}`
  return { name, bun: `bun-${name}`, runtimePackage, format: "elf", machine, linker }
}

function machO(name: string, npm: string, machine: Target["machine"]): Target {
  const runtimePackage = `@oven/bun-${npm}`
  return { name, bun: `bun-${name}`, runtimePackage, format: "mach-o", machine, linker: null }
}

/** The target that this machine can run. */
export function hostTarget(): string {
  const isMusl = process.platform === "linux" && existsSync(`/lib/ld-musl-${muslMachine()}.so.1`)
  return `${process.platform}-${process.arch}${isMusl ? "-musl" : ""}`
}

function muslMachine(): string {
  return process.arch === "arm64" ? "aarch64" : "x86_64"
}

/** Thrown where a runtime cannot be had; the message says why. */
export class RuntimeMissing extends Error {}

/**
 * The bun of that platform, unpacked under `folder`. This machine's own comes from npm as well: an installed bun may
 * be another build of the same version, and then two machines would make different bytes.
 */
export function runtimeOf(target: Target, folder: string): string {
  const place = join(folder, target.name)
  const wanted = `${target.runtimePackage}@${manifest.engines.bun}`
  mkdirSync(place, { recursive: true })
  const packed = run(["npm", "pack", "--silent", wanted], place)
  const [archive = ""] = packed.out.trim().split("\n").slice(-1)
  if (packed.failed || archive === "") {
    if (target.name === hostTarget()) {
      console.log(`${target.name}: npm does not give ${wanted}: the bun that runs this is packed`)
      return process.execPath
    }
    throw new RuntimeMissing(`npm does not give ${wanted}: ${packed.reason}`)
  }
  if (hashOf(join(place, archive)) !== wantedHash(target.runtimePackage)) {
    throw new Error(`${wanted} from npm has not the hash in .ci/bun/package-lock.json`)
  }
  const unpacked = run(["tar", "-xzf", archive], place)
  const runtime = join(place, "package", "bin", "bun")
  if (unpacked.failed || !existsSync(runtime)) {
    throw new RuntimeMissing(`${wanted} has no bin/bun: ${unpacked.reason}`)
  }
  return runtime
}

function hashOf(file: string): string {
  return `sha512-${createHash("sha512").update(readFileSync(file)).digest("base64")}`
}

/** As npm has it for the version that is pinned. */
function wantedHash(name: string): string | undefined {
  const file = join(import.meta.dir, "..", "..", ".ci", "bun", "package-lock.json")
  const { packages } = JSON.parse(readFileSync(file, "utf8")) as {
    readonly packages: Readonly<Record<string, { readonly integrity?: string }>>
  }
  return packages[`node_modules/${name}`]?.integrity
}

function run(command: readonly string[], cwd: string) {
  try {
    const { exitCode, stdout, stderr } = Bun.spawnSync([...command], { cwd, stderr: "pipe" })
    const reason = stderr.toString().trim().split("\n").at(-1) ?? ""
    return { failed: exitCode !== 0, out: stdout.toString(), reason }
  } catch (error) {
    return { failed: true, out: "", reason: String(error) }
  }
}
