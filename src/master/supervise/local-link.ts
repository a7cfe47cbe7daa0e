/**
 * A worker in the master's own process, for `--mode sp`: the same service and the same messages, each delivered
 * in a later turn of the event loop, as from another process.
 */
import { libc } from "../../net/linux/libc.ts"
import type { StartWorker } from "../../worker/types.ts"
import type { OpenLink } from "./link.ts"
import { WorkerService } from "./worker-service.ts"

export function localLinks(start: StartWorker): OpenLink {
  return (index, fds, events) => {
    let over = false
    const end = (): void => {
      if (over) return
      over = true
      setImmediate(() => events.ended({ code: 0, signal: null, cpuSeconds: 0 }))
    }
    // The worker closes its descriptors, the caller keeps his: two owners, two descriptors.
    const own = fds.map((fd) => libc().dup(fd))
    const given: number[] = []
    const service = new WorkerService({
      index,
      descriptors: { first: (place) => own[place] ?? -1, next: () => given.shift() ?? -1 },
      start,
      send: (message) => void setImmediate(() => over || events.message(message)),
      end,
    })
    return {
      pid: process.pid,
      send: (message) => void setImmediate(() => over || service.receive(message)),
      give: (fd) => given.push(libc().dup(fd)) > 0,
      kill: () => service.receive({ type: "stop" }),
    }
  }
}
