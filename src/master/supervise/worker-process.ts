/**
 * A worker process, from its first line to its last. It obeys its master alone: a signal from the terminal or from
 * a service manager reaches the whole group, and only the master may decide what it means. When the master is
 * gone, however it went, the worker ends: by the parent-death signal that BUN_FEATURE_FLAG_NO_ORPHANS asks for,
 * and by the end of the channel.
 */
import { allowedCpus, pinToCpu } from "../../net/linux/affinity.ts"
import { takeDescriptor } from "../../net/linux/descriptor-channel.ts"
import { takeTime } from "../../net/linux/poller.ts"
import { releaseStartPages } from "../../net/linux/start-pages.ts"
import type { StartWorker } from "../../worker/types.ts"
import { WORKER_CHANNEL, WORKER_ENV, WORKER_FIRST_FD } from "./process-link.ts"
import type { FromWorker, ToWorker } from "./protocol.ts"
import { WorkerService } from "./worker-service.ts"

/** True when a master has started this process as a worker. */
export function isWorkerProcess(): boolean {
  return process.env[WORKER_ENV] !== undefined && process.send !== undefined
}

/** Call it before anything else when `isWorkerProcess()`; it returns at once and the process lives on. */
export function runWorkerProcess(start: StartWorker = startRealWorker): void {
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const)
    process.on(signal, () => {})
  process.on("disconnect", () => process.exit(1))
  const index = Number(process.env[WORKER_ENV])
  takeTime()
  releaseStartPages()
  const service = new WorkerService({
    index,
    descriptors: {
      first: (place) => WORKER_FIRST_FD + place,
      next: () => takeDescriptor(WORKER_CHANNEL),
    },
    start,
    send: sendToMaster,
    end: () => process.exit(0),
  })
  process.on("message", (message: ToWorker) => {
    if (message.type === "init" && message.settings.pin) pin(index)
    service.receive(message)
  })
}

/** Loads the balancer only in the process that becomes a worker. */
export const startRealWorker: StartWorker = async (options) => {
  const { startWorker } = await import("../../worker/worker.ts")
  return startWorker(options)
}

/** A closed channel means that the master is gone, and `disconnect` is on its way. */
function sendToMaster(message: FromWorker): void {
  try {
    process.send?.(message)
  } catch {
    process.exit(1)
  }
}

/** Workers go round the CPUs that this process was left with. */
function pin(index: number): void {
  const cpus = allowedCpus()
  const cpu = cpus[index % cpus.length]
  if (cpu !== undefined && cpus.length > 1) pinToCpu(cpu)
}
