/**
 * A worker in a process of its own: this same program, started again with the listening descriptor in slot 3 and
 * an IPC channel. From spawn to `hello` takes about 30 ms from source.
 */
import { withReserve } from "../../net/descriptor-reserve.ts"
import type { OpenLink } from "./link.ts"
import { runningProgram } from "./program.ts"
import type { FromWorker, ToWorker } from "./protocol.ts"

/** Holds the worker's index; its presence makes a process a worker. */
export const WORKER_ENV = "BUNLB_WORKER"
/** The slot in which a worker inherits its descriptor. */
export const WORKER_LISTEN_FD = 3

export const openProcessLink: OpenLink = (index, listenFd, events) => {
  // The arguments are for the eye of someone who reads `ps`: the variable is what counts.
  const command = [...runningProgram(), "worker", String(index)]
  const start = () =>
    Bun.spawn(command, {
      // The working directory of this process may be gone, and no process starts without one.
      cwd: "/",
      env: { ...process.env, [WORKER_ENV]: String(index), BUN_FEATURE_FLAG_NO_ORPHANS: "1" },
      stdio: ["ignore", "inherit", "inherit", listenFd],
      serialization: "advanced",
      ipc: (message: FromWorker) => events.message(message),
      onExit: (ended, code, signal) => {
        const microseconds = Number(ended.resourceUsage()?.cpuTime.total ?? 0)
        const name = signal === null ? null : (ended.signalCode ?? signal)
        events.ended({
          code,
          signal: name === null ? null : String(name),
          cpuSeconds: microseconds / 1e6,
        })
      },
    })
  const child = withReserve(start)
  return {
    pid: child.pid,
    send: (message: ToWorker) => {
      try {
        child.send(message)
      } catch {
        // The channel is closed: the worker has ended, and `ended` says so.
      }
    },
    kill: () => child.kill("SIGKILL"),
  }
}
