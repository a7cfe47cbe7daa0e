/** Makes one executable of src/main.ts: the same bytes for the same source, whoever builds it and wherever. */
import { mkdirSync, rmSync } from "node:fs"
import { dirname } from "node:path"
import manifest from "../../package.json" with { type: "json" }
import { ensureSigned } from "./signature.ts"
import { root } from "./source.ts"
import type { Source } from "./source.ts"

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

export interface Platform {
  /** As Bun names it: `bun-linux-x64`. */
  readonly target: string
  /** The bun executable of that platform, which is packed. */
  readonly runtime: string
}

/** Without a platform: for the one that runs this, with the runtime that runs this, so without a network. */
export function compile(source: Source, outfile: string, platform?: Platform): void {
  if (Bun.version !== manifest.engines.bun) {
    const wanted = manifest.engines.bun
    throw new Error(
      `this is bun ${Bun.version}; bunlb is built with ${wanted}: npm i -g bun@${wanted}`,
    )
  }
  mkdirSync(dirname(outfile), { recursive: true })
  const facts = [
    ...["--define", `BUNLB_COMMIT=${JSON.stringify(source.commit)}`],
    ...["--define", `BUNLB_DATE=${JSON.stringify(source.date)}`],
  ]
  const foreign =
    platform === undefined
      ? []
      : [`--target=${platform.target}`, `--compile-executable-path=${platform.runtime}`]
  const build = Bun.spawnSync(
    [process.execPath, "build", ...flags, ...facts, ...foreign, "src/main.ts"].concat(
      "--outfile",
      outfile,
    ),
    { cwd: root, stdout: "ignore", stderr: "pipe" },
  )
  if (build.exitCode !== 0) throw new Error(`the build failed: ${build.stderr.toString().trim()}`)
  ensureSigned(outfile)
  // The executable has its map inside.
  rmSync(`${outfile}.map`, { force: true })
}
