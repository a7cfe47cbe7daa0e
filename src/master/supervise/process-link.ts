/**
 * A worker in a process of its own: this same program, started again with a channel for further descriptors in
 * slot 3, the listening descriptors in those behind it, and an IPC channel. From spawn to `hello` takes about 30 ms
 * from source.
 */
import { withReserve } from "../../net/descriptor-reserve.ts"
import { closeChannel, giveDescriptor, openChannel } from "../../net/linux/descriptor-channel.ts"
import type { OpenLink } from "./link.ts"
import { runningProgram } from "./program.ts"
import type { FromWorker, ToWorker } from "./protocol.ts"

/** Holds the worker's index; its presence makes a process a worker. */
export const WORKER_ENV = "BUNLB_WORKER"
/** The slot in which a worker inherits its end of the channel over which it gets more descriptors. */
export const WORKER_CHANNEL = 3
/** The slot in which it inherits the first of its listening descriptors. */
export const WORKER_FIRST_FD = 4

export const openProcessLink: OpenLink = (index, fds, events) => {
  // The arguments are for the eye of someone who reads `ps`: the variable is what counts.
  const command = [...runningProgram(), "worker", String(index)]
  const channel = openChannel()
  const start = () =>
    Bun.spawn(command, {
      // The working directory of this process may be gone, and no process starts without one.
      cwd: "/",
      env: { ...process.env, [WORKER_ENV]: String(index), BUN_FEATURE_FLAG_NO_ORPHANS: "1" },
      stdio: ["ignore", "inherit", "inherit", channel?.[1] ?? "ignore", ...fds],
      serialization: "advanced",
      ipc: (message: FromWorker) => events.message(message),
      onExit: (ended, code, signal) => {
        const microseconds = Number(ended.resourceUsage()?.cpuTime.total ?? 0)
        if (channel !== null) closeChannel(channel[0])
        const name = signal === null ? null : (ended.signalCode ?? signal)
        events.ended({
          code,
          signal: name === null ? null : String(name),
          cpuSeconds: microseconds / 1e6,
        })
      },
    })
  const child = withReserve(() => {
    try {
      return start()
    } finally {
      if (channel !== null) closeChannel(channel[1])
    }
  })
  return {
    pid: child.pid,
    send: (message: ToWorker) => {
      try {
        child.send(message)
      } catch {
        // The channel is closed: the worker has ended, and `ended` says so.
      }
    },
    give: (fd) => channel !== null && giveDescriptor(channel[0], fd),
    kill: () => child.kill("SIGKILL"),
  }
}
