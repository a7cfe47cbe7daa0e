/**
 * This program as a command. There are two of it: the one that runs, whose workers must speak as it does, and the one
 * that is now on disk, which may be newer. From source they are the same, whatever has been edited meanwhile.
 */
import { statSync } from "node:fs"
import { absolutePath, startFolder } from "../../config/start-folder.ts"

/** The kernel's way to the file that this process was started from, also when it has been replaced or deleted. */
const RUNNING = "/proc/self/exe"

/** What a worker runs. */
export function runningProgram(): readonly string[] {
  if (!Bun.isStandaloneExecutable) return fromSource()
  return [isReplaced() ? RUNNING : process.execPath]
}

/** What an upgrade runs: the name by which this process was started, whatever it leads to now. */
export function programOnDisk(): readonly string[] {
  if (!Bun.isStandaloneExecutable) return fromSource()
  const name = process.argv0
  if (name.includes("/")) return [absolutePath(name)]
  return [Bun.which(name, { cwd: startFolder() }) ?? process.execPath]
}

function fromSource(): readonly string[] {
  return [process.execPath, ...process.execArgv, Bun.main]
}

/** By the kernel's way a process is called `exe` in `ps`, so it is taken only when there is no other. */
function isReplaced(): boolean {
  if (process.platform !== "linux") return false
  try {
    const [running, onDisk] = [statSync(RUNNING), statSync(process.execPath)]
    return running.ino !== onDisk.ino || running.dev !== onDisk.dev
  } catch {
    return true
  }
}
