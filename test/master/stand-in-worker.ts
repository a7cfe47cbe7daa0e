/**
 * The smallest thing that keeps a worker's promises, for tests of the fleet alone: it answers every request by
 * itself, tells its pid, and misbehaves on demand: /hang, /exit, /sick, /well, /slow.
 */
import { BunlbError } from "../../src/core/errors.ts"
import type { Settings } from "../../src/config/schema/settings.ts"
import { REQUESTS, type SeriesChunk } from "../../src/observe/backend-series.ts"
import type { WorkerReport } from "../../src/observe/snapshot.ts"
import type { StartWorker, Worker, WorkerOptions } from "../../src/worker/types.ts"

const SLOW_MS = 300

export const startStandIn: StartWorker = async (options) => {
  const ca = options.settings.backends[0]?.ca ?? null
  if (ca !== null) throw new BunlbError("BUNLB_E_CA_FILE", `cannot read the CA file ${ca}`)
  if (options.settings.strategy === "random") throw new Error("no luck\nand more lines")
  let requests = 0
  let draining = false
  const open = new Set<{ end(): unknown }>()
  const startedAt = performance.now()
  // The types do not know `fd`.
  const listenOptions = {
    hostname: options.settings.host,
    port: options.settings.port,
    fd: options.listeners?.[0]?.fd,
    socket: {
      open(socket: { end(): unknown }) {
        open.add(socket)
      },
      data(socket: { write(text: string): number; end(): unknown }, bytes: Uint8Array) {
        const path = new TextDecoder().decode(bytes).split(" ")[1] ?? ""
        requests++
        obey(path, options)
        setTimeout(
          () => {
            const body = String(process.pid)
            socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
            socket.end()
          },
          path === "/slow" ? SLOW_MS : 0,
        )
      },
      close(socket: { end(): unknown }) {
        open.delete(socket)
      },
    },
  }
  const listener = Bun.listen(listenOptions)
  const stop = (): void => {
    listener.stop()
    for (const socket of open) socket.end()
  }
  return {
    port: listener.port,
    addresses: new Map(),
    backends: backendsOf(options.settings, () => requests),
    report: () => report(options, { requests, clients: open.size, draining, startedAt }),
    apply: async () => {},
    accept: () => {},
    listen: () => {},
    leave: async () => ({ cut: 0, sending: 0 }),
    drain: async (limitMs, _succeeded, closed) => {
      draining = true
      listener.stop()
      closed?.()
      const deadline = performance.now() + limitMs
      while (open.size > 0 && performance.now() < deadline) await Bun.sleep(5)
      const cut = open.size
      stop()
      return { cut, sending: 0 }
    },
    stop,
    reopenLogs: () => {},
  }
}

function obey(path: string, { index, settings, onHealthChange }: WorkerOptions): void {
  if (path === "/exit") process.exit(7)
  if (path === "/hang") for (;;) Math.random()
  if (path !== "/sick" && path !== "/well") return
  const healthy = path === "/well"
  const reason = healthy ? "2 successes" : "3 failures, last: connect refused"
  const backend = settings.backends[0]?.name ?? ""
  onHealthChange({ worker: index, backend, healthy, reason, at: Date.now() })
}

interface State {
  readonly requests: number
  readonly clients: number
  readonly draining: boolean
  readonly startedAt: number
}

/** One row for each backend, all with the same requests. */
function backendsOf({ backends }: Settings, requests: () => number): Worker["backends"] {
  let told = -1
  let chunk: SeriesChunk | null = null
  const facts = backends.map(({ name, tls, weight, backup }, row) => ({
    ...{ row, pool: "default", name, tls, weight, backup },
    ...{ healthy: true, draining: false, since: 0, reason: "" },
    addresses: ["127.0.0.1"],
  }))
  return {
    begin: () => {
      const more = requests() - Math.max(0, told)
      const cells = facts.flatMap(({ row }) => [row, REQUESTS, more, row, 200, more])
      chunk = {
        ...{ reasons: [], facts: told < 0 ? facts : [], cells: new Float64Array(cells) },
        gone: [],
      }
      told = requests()
    },
    next: () => {
      const next = chunk
      chunk = null
      return next
    },
  }
}

function report({ index }: WorkerOptions, state: State): WorkerReport {
  return {
    index,
    pid: process.pid,
    uptime: performance.now() - state.startedAt,
    clients: state.clients,
    listeners: [],
    inFlight: 0,
    draining: state.draining,
    samples: {
      bunlb_client_connections: { "": state.clients },
      bunlb_worker_connections: { "": state.clients },
    },
  }
}
