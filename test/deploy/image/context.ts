/** Folders to make images of: a Containerfile, and `root`, which it copies. */
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { putLibraries } from "../../../scripts/release/bare-root.ts"
import type { ImageStore } from "./store.ts"

/** In the store's folder. Engines mount something at /dev and /proc. */
export function contextOf(store: ImageStore, name: string, lines: readonly string[]): string {
  const folder = join(store.folder, name)
  for (const each of ["dev", "proc", "tmp"]) {
    mkdirSync(join(folder, "root", each), { recursive: true })
  }
  writeFileSync(join(folder, "Containerfile"), `${lines.join("\n")}\n`)
  return folder
}

export function putFile(from: string, root: string, place: string): void {
  mkdirSync(join(root, dirname(place)), { recursive: true })
  copyFileSync(from, join(root, place))
}

/** With the libraries that it needs. */
export function putProgram(program: string, root: string, place: string): void {
  putFile(program, root, place)
  putLibraries(program, root)
}
