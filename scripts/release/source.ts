/**
 * Which source is being built. The date is that of the commit and not of the build, so that two builds of one commit
 * are the same bytes. Without git (in a container's build) COMMIT and SOURCE_DATE_EPOCH say it.
 */
import { join } from "node:path"
import manifest from "../../package.json" with { type: "json" }

export const root = join(import.meta.dir, "..", "..")

export interface Source {
  readonly version: string
  /** The full hash; `+changes` behind it when files differ from the commit; "unknown" when nobody knows. */
  readonly commit: string
  /** ISO 8601, UTC. */
  readonly date: string
}

export function readSource(): Source {
  const { version } = manifest
  const told = process.env["COMMIT"] ?? ""
  if (told !== "") return { version, commit: told, date: dateOf(process.env["SOURCE_DATE_EPOCH"]) }
  const [commit = "", seconds] = git("log", "-1", "--format=%H %ct").split(" ")
  if (commit === "") return { version, commit: "unknown", date: "unknown" }
  const changed = git("status", "--porcelain") !== ""
  return { version, commit: changed ? `${commit}+changes` : commit, date: dateOf(seconds) }
}

function dateOf(seconds: string | undefined): string {
  if (seconds === undefined || !/^\d+$/.test(seconds)) return "unknown"
  return new Date(Number(seconds) * 1_000).toISOString().replace(".000", "")
}

/** What git says, or nothing. */
function git(...words: string[]): string {
  try {
    const { exitCode, stdout } = Bun.spawnSync(["git", "-C", root, ...words], { stderr: "ignore" })
    return exitCode === 0 ? stdout.toString().trim() : ""
  } catch {
    return ""
  }
}
