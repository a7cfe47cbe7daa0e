/** What is measured is what people download: a fresh executable, never one of yesterday. */
import { join } from "node:path"

const root = join(import.meta.dir, "..", "..")

export function buildExecutable(): string {
  const build = Bun.spawnSync([process.execPath, join(root, "scripts", "build.ts")])
  if (build.exitCode !== 0) throw new Error(`the build failed: ${build.stderr.toString().trim()}`)
  return join(root, "dist", "bunlb")
}
