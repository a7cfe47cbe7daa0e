/**
 * One listener as the master holds it: where it is, and the sockets that outlive every worker. Each worker has a
 * descriptor of its own, from the slot in which it sits.
 */
import type { ListenerSettings } from "../../config/schema/settings.ts"
import { libc } from "../../net/linux/libc.ts"
import { closeListeners, openMore, type Queue } from "../../net/listeners.ts"
import type { OpenListener } from "../../net/open-listener.ts"
import { ReuseportGroup } from "../../net/reuseport-group.ts"
import type { SocketFile } from "../../net/unix-listeners.ts"

export class Listening {
  /** Its own among all that this process has had. */
  readonly id: number
  #settings: ListenerSettings
  /** The port that is really bound; null for a unix socket. */
  readonly port: number | null
  readonly queue: Queue
  readonly group: ReuseportGroup
  /** The different sockets of a queue that workers share: more descriptors are made of these. */
  readonly #sockets: number[]
  readonly #file: SocketFile | null

  constructor(id: number, settings: ListenerSettings, opened: OpenListener) {
    const { port, fds, listening, queue, sockets, file } = opened
    this.id = id
    this.#settings = settings
    this.port = port
    this.queue = queue
    this.group = new ReuseportGroup(listening, queue)
    this.#sockets = queue === "own" ? [] : fds.slice(0, sockets).map((fd) => libc().dup(fd))
    this.#file = file
  }

  get settings(): ListenerSettings {
    return this.#settings
  }

  /** By other settings from now on, at the same address. */
  configure(settings: ListenerSettings): void {
    const { socketMode } = settings
    const isOther = socketMode !== this.#settings.socketMode
    if (isOther && socketMode !== null && this.queue !== "held") this.#file?.permit(socketMode)
    this.#settings = settings
  }

  /** Different sockets that workers share; 0 when each has its own. */
  get sockets(): number {
    return this.#sockets.length
  }

  /** Sockets of it that a service manager has handed over; 0 when they are our own. */
  get heldSockets(): number {
    return this.queue === "held" ? this.sockets : 0
  }

  /** `settings` name this listener at this address. The address of sockets that were handed over is not ours to say. */
  is(settings: ListenerSettings): boolean {
    const own = this.settings
    if (settings.name !== own.name) return false
    if (this.queue === "held") return true
    if ("path" in own || "path" in settings)
      return "path" in own && "path" in settings && own.path === settings.path
    return own.host === settings.host && (own.port === settings.port || this.port === settings.port)
  }

  /** `settings` ask for the port or the path that this one has. */
  has(settings: ListenerSettings): boolean {
    if ("path" in settings) return "path" in this.settings && this.settings.path === settings.path
    return settings.port !== 0 && settings.port === this.port
  }

  /** Descriptors for `count` more workers, of which the first is the one with index `from`. */
  more(count: number, from: number): number[] {
    if (count <= 0) return []
    if (this.queue !== "own" || "path" in this.settings) {
      const sockets = this.#sockets
      const socketOf = (index: number): number => sockets[index % sockets.length] ?? -1
      return Array.from({ length: count }, (_, i) => libc().dup(socketOf(from + i)))
    }
    return openMore(this.settings.host, this.port ?? this.settings.port, count).fds
  }

  /** Clients find it from now on. */
  publish(): void {
    this.#file?.publish()
  }

  /** It is not needed any more; the workers' descriptors are the last ones. `goesOn`: another process has it too. */
  leave(goesOn = false): void {
    if (!goesOn && this.queue !== "held") this.#file?.remove()
    closeListeners(this.#sockets.splice(0))
  }
}

/** The port of the first one that has one; 0 when all are unix sockets. */
export function portOf(listeners: readonly Listening[]): number {
  return listeners.find(({ port }) => port !== null)?.port ?? 0
}

/** Where they are, in a few words. */
export function placeOf(listeners: readonly Listening[]): string {
  const ports = listeners.flatMap(({ port }) => (port === null ? [] : [port]))
  const paths = listeners.flatMap(({ settings }) => ("path" in settings ? [settings.path] : []))
  const noun = ports.length === 1 ? "port" : "ports"
  return [...(ports.length > 0 ? [`${noun} ${ports.join(", ")}`] : []), ...paths].join(" and ")
}
