/** System calls of a running program, counted by strace. It slows the program down: never while time is measured. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { Program } from "./program.ts"

/** How many calls the program's whole tree makes while `work` is done. */
export async function countSyscalls(
  program: Program,
  folder: string,
  work: () => Promise<void>,
): Promise<number> {
  const file = join(folder, "syscalls")
  const processes = program.members().flatMap(({ pid }) => ["-p", String(pid)])
  const strace = Bun.spawn(["strace", "-f", "-c", "-U", "calls,name", "-o", file, ...processes], {
    stdio: ["ignore", "ignore", "pipe"],
  })
  const said = strace.stderr.getReader()
  const first = await said.read()
  if (first.done) throw new Error("strace cannot look into other processes here")
  await Bun.sleep(100)
  await work()
  strace.kill("SIGINT")
  await strace.exited
  return Number(/^\s*(\d+) total$/m.exec(readFileSync(file, "utf8"))?.[1] ?? 0)
}
