/** The access log of one worker: what is written, and the file that it is written to. */
import type { AccessLogSettings } from "../config/schema/settings.ts"
import type { Log } from "../core/log.ts"
import { AccessLog } from "../proxy/core/access-log.ts"
import type { Clients } from "../proxy/client/clients.ts"
import type { Gateway } from "../proxy/core/gateway.ts"
import { AccessFile } from "./access-file.ts"

const wallClock = { now: () => Date.now() }

export class AccessLogging {
  readonly #gateway: Gateway
  readonly #clients: Clients
  readonly #worker: number
  readonly #log: Log
  #path = ""
  #file: AccessFile | null = null
  #access: AccessLog | null = null
  /** Lines dropped by files that are no longer in use. */
  #dropped = 0

  constructor(gateway: Gateway, clients: Clients, worker: number, log: Log) {
    this.#gateway = gateway
    this.#clients = clients
    this.#worker = worker
    this.#log = log
  }

  /** Throws `BunlbError`, with nothing changed, when the file cannot be opened. */
  configure(settings: AccessLogSettings): void {
    if (settings.format === "off") this.#switchOff()
    else {
      if (this.#file === null || this.#path !== settings.path) {
        const file = new AccessFile(settings.path, this.#log)
        this.#leaveFile()
        this.#file = file
        this.#path = settings.path
      }
      this.#access ??= this.#create(settings)
      this.#access.configure(settings)
    }
    this.#gateway.accessLog = this.#access
    for (const client of this.#clients.all) client.record = this.#gateway.recordFor(client)
  }

  #create(settings: AccessLogSettings): AccessLog {
    const { clock, ids } = this.#gateway
    const sink = { add: (line: string): void => this.#file?.add(line) }
    return new AccessLog(settings, { worker: this.#worker, clock, wallClock, ids, sink })
  }

  #switchOff(): void {
    this.#leaveFile()
    this.#file = null
    this.#access = null
  }

  #leaveFile(): void {
    this.#file?.close()
    this.#dropped += this.#file?.dropped ?? 0
  }

  get dropped(): number {
    return this.#dropped + (this.#file?.dropped ?? 0)
  }

  flush(): void {
    this.#file?.flush()
  }

  reopen(): void {
    this.#file?.reopen()
  }

  /** For the end of the process: writes what the file takes without waiting. */
  close(): void {
    this.#file?.close()
  }

  /** Resolves when all is written, or when that takes too long. */
  async settled(): Promise<void> {
    await this.#file?.settled()
  }
}
