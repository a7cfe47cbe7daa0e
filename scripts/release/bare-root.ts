/** What a program needs in a root that has nothing: the libraries that it is linked with, where it looks for them. */
import { copyFileSync, mkdirSync } from "node:fs"
import { dirname, join } from "node:path"

/** As Linux's ldd knows them, the dynamic linker among them. */
export function putLibraries(program: string, root: string): void {
  const { stdout } = Bun.spawnSync(["ldd", program])
  for (const [, library = ""] of stdout.toString().matchAll(/(\/\S+) \(0x/g)) {
    mkdirSync(join(root, dirname(library)), { recursive: true })
    copyFileSync(library, join(root, library))
  }
}
