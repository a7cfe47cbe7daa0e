/**
 * What the Dockerfile begins with, made here instead of fetched: an image with Bun, and the base of the result. `bare`
 * has the libraries that Bun is linked with and CA certificates, as distroless images do, and no shell; it takes a
 * second. `debian` is the one of the Dockerfile, made by debootstrap in half a minute.
 */
import { cpSync } from "node:fs"
import { join } from "node:path"
import manifest from "../../../package.json" with { type: "json" }
import { putLibraries } from "../../../scripts/release/bare-root.ts"
import { certificates } from "../../support/certificates.ts"
import { root as project } from "../../support/source.ts"
import { contextOf, putFile, putProgram } from "./context.ts"
import type { ImageStore } from "./store.ts"

export interface Base {
  readonly name: "bare" | "debian"
  /** Makes both images; gives what `buildah bud` must be told. */
  readonly make: (store: ImageStore, defaults: Defaults) => Promise<readonly string[]>
}

/** What the Dockerfile names. */
export interface Defaults {
  readonly BUN: string
  readonly BASE: string
}

const CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"

export const bases: Readonly<Record<Base["name"], Base>> = {
  bare: {
    name: "bare",
    async make(store, { BUN }) {
      const folder = contextOf(store, "bare", ["FROM scratch", "COPY root /"])
      putLibraries(process.execPath, join(folder, "root"))
      putFile(certificates().caFile, join(folder, "root"), CA_BUNDLE)
      await store.make("localhost/bare", folder)
      await store.make(BUN, await builder(store, "scratch"))
      return ["--build-arg", "BASE=localhost/bare"]
    },
  },
  debian: {
    name: "debian",
    async make(store, { BUN, BASE }) {
      const folder = contextOf(store, "debian", ["FROM scratch", "COPY root /"])
      const root = join(folder, "root")
      await run(["debootstrap", "--variant=minbase", "bookworm", root])
      putFile(certificates().caFile, root, CA_BUNDLE)
      await store.make(BASE, folder)
      await store.make(BUN, await builder(store, BASE))
      return []
    },
  },
}

/** Bun, a shell for the steps, and the packages that the lock file names. */
async function builder(store: ImageStore, base: string): Promise<string> {
  const lines = [`FROM ${base}`, "COPY root /", "ENV BUN_INSTALL_CACHE_DIR=/packages"]
  const folder = contextOf(store, "builder", lines)
  const root = join(folder, "root")
  putFile(process.execPath, root, "/usr/local/bin/bun")
  if (base === "scratch") {
    putLibraries(process.execPath, root)
    putProgram("/bin/sh", root, "/bin/sh")
  }
  // Under the names of Bun's cache, so that the step that installs them needs no network.
  for (const [name, version] of Object.entries(manifest.dependencies)) {
    const place = join(root, "packages", `${name}@${version}@@@1`)
    cpSync(join(project, "node_modules", name), place, { recursive: true, dereference: true })
  }
  return folder
}

async function run(command: string[]): Promise<void> {
  const child = Bun.spawn(command, { stdio: ["ignore", "pipe", "pipe"] })
  const [said, complained] = await Promise.all([child.stdout.text(), child.stderr.text()])
  if ((await child.exited) !== 0) throw new Error(`${command.join(" ")}: ${said}${complained}`)
}
