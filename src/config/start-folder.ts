/**
 * The folder that relative file names start from: the working directory at the start. A deployment may delete or
 * replace that folder while bunlb runs, and a process without a working directory can start no other process. So
 * names become absolute before they are used, and a long-running command leaves the folder for `/`.
 *
 * Where the shell knows the folder by a link (`/srv/app/current`), the link's name is kept: after the link was moved
 * to the next release, a reload reads the files of that release.
 */
import { statSync } from "node:fs"
import { resolve } from "node:path"
import type { Environment } from "./environment.ts"
import { mapPools } from "./schema/pools.ts"
import type { BackendSettings, Settings } from "./schema/settings.ts"

/** Tells the process that takes over in an upgrade: it starts in another folder, or in none. */
export const START_FOLDER_ENV = "BUNLB_START_FOLDER"
const SUCCESSOR_ENV = "BUNLB_HEIR"

let known: string | null = null

export function startFolder(): string {
  known ??= findStartFolder(process.env, workingDirectory())
  return known
}

/** Pure but for a look at both folders. `here`: the working directory, null when it has been deleted. */
export function findStartFolder(environment: Environment, here: string | null): string {
  const told = environment[START_FOLDER_ENV]
  if (environment[SUCCESSOR_ENV] !== undefined && told?.startsWith("/")) return told
  const named = environment.PWD
  if (named === undefined || !named.startsWith("/")) return here ?? "/"
  return here === null || isSame(named, here) ? named : here
}

/** `name`, seen from the start folder. */
export function absolutePath(name: string): string {
  return resolve(startFolder(), name)
}

/** `settings` with absolute file names. */
export function withAbsolutePaths(settings: Settings): Settings {
  const { accessLog } = settings
  const { path } = accessLog
  const absolute = (each: BackendSettings): BackendSettings =>
    each.ca === null ? each : { ...each, ca: absolutePath(each.ca) }
  const listeners = settings.listeners.map((each) =>
    "path" in each ? { ...each, path: absolutePath(each.path) } : each,
  )
  return {
    ...mapPools(settings, (pool) => ({ ...pool, backends: pool.backends.map(absolute) })),
    listeners,
    accessLog: path === "stdout" ? accessLog : { ...accessLog, path: absolutePath(path) },
  }
}

/** From now on the folder may be deleted, moved or unmounted. */
export function leaveStartFolder(): void {
  startFolder()
  process.chdir("/")
}

function workingDirectory(): string | null {
  try {
    return process.cwd()
  } catch {
    return null
  }
}

function isSame(some: string, other: string): boolean {
  try {
    const [a, b] = [statSync(some), statSync(other)]
    return a.ino === b.ino && a.dev === b.dev
  } catch {
    return false
  }
}
