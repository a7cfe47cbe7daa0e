/** Processes of a user who has nothing and may do nothing: tests mostly run as root, people do not. */
import { join } from "node:path"

const main = join(import.meta.dir, "../../src/main.ts")

/** Words before a command, which make it one of user 65534. */
export const asStranger = [
  ...["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"],
  ...["--inh-caps=-all", "--bounding-set=-all"],
]

/** Only root can become another; Bun and the source must be where that user may read them. */
export function strangersMayRun(): boolean {
  if (process.getuid?.() !== 0 || Bun.which("setpriv") === null) return false
  const program = process.env["BUNLB_TEST_EXECUTABLE"]
  const command = program ? [program, "-v"] : [process.execPath, main, "-v"]
  return Bun.spawnSync([...asStranger, ...command], { stderr: "ignore" }).exitCode === 0
}
