/**
 * An upgrade, from the wish to the farewell: the program now on disk is started beside this one with the same words and
 * the same listening sockets; when all of it serves, this one drains and goes. Both accept for a moment; no connection
 * is ever without somebody. If the new one does not come up, it is ended, and here nothing has changed.
 */
import { readFileSync } from "node:fs"
import type { AdminAddress } from "../../config/schema/admin-address.ts"
import type { Settings } from "../../config/schema/settings.ts"
import type { ServiceManager } from "../../net/service-manager.ts"
import type { Log } from "../../core/log.ts"
import type { JournalKind } from "../figures/journal.ts"
import { Successor } from "./successor.ts"
import type { FleetLimits } from "../supervise/watch-limits.ts"
import { programOnDisk } from "../supervise/program.ts"
import type { HostServices } from "../control/host-services.ts"
import { Refused } from "../control/refused.ts"
import type { Outcome } from "../control/outcome.ts"
import { HANDOVER_FORMAT, toFirstFormat } from "./handover.ts"
import type { AnyHandover, HandedListener, Handover, Place, Taken } from "./handover.ts"

/** Programs that run as PID 1 of a container and end when their child ends. */
const inits = ["tini", "dumb-init", "docker-init", "catatonit", "podman-init"]

/** The workers, as far as an upgrade hands them over. */
interface HandedFleet {
  /** Where it listens, in a few words. */
  readonly place: string
  /** What it listens with, and the descriptors of all in the same order. */
  handListeners(): {
    readonly listeners: readonly HandedListener[]
    readonly fds: readonly number[]
  }
  /** While another process may accept at the same descriptors. */
  share(shared: boolean): void
  note(kind: JournalKind, line: string): void
  handOver(): Pick<Handover, "byHand" | "ailing" | "past">
}

/** What is handed over. */
interface Estate {
  readonly fleet: HandedFleet
  readonly hostServices: HostServices
}

export class Upgrader {
  readonly #log: Log
  readonly #limits: FleetLimits
  readonly #manager: ServiceManager | null
  readonly #done = Promise.withResolvers<Taken>()
  #estate: Estate | null = null
  #successor: Successor | null = null
  #over = false

  constructor(log: Log, limits: FleetLimits, manager: ServiceManager | null) {
    this.#log = log
    this.#limits = limits
    this.#manager = manager
  }

  /** From now on there is something to hand over. */
  begin(estate: Estate): void {
    this.#estate = estate
  }

  /** Resolves when another serves, with the numbers of listening sockets that it has taken over. */
  get done(): Promise<Taken> {
    return this.#done.promise
  }

  /** Throws `Refused` or `BunlbError`, with everything as it was, when the other one does not come up. */
  async upgrade(settings: Settings): Promise<Outcome> {
    const estate = this.#estate
    const ending = "this bunlb is about to end"
    const obstacle =
      estate === null || this.#over ? ending : obstacleTo(process.pid, process.ppid, commandOf(1))
    if (estate === null || obstacle !== null) throw new Refused("no_upgrade", obstacle ?? "")
    const command = [...programOnDisk(), ...process.argv.slice(2)]
    this.#log.info(`upgrade: starting ${command[0]}`)
    this.#manager?.reloading("starts another that follows this one")
    estate.fleet.share(true)
    try {
      return await this.#handOver(estate, settings, command)
    } catch (error) {
      estate.fleet.share(false)
      estate.hostServices.reclaim()
      if (!this.#over) this.#manager?.ready(`serves on ${estate.fleet.place}`)
      const message = error instanceof Error ? error.message : String(error)
      for (const line of message.split("\n")) this.#log.error(`upgrade: ${line}`)
      this.#log.error("not upgraded: this bunlb goes on")
      estate.fleet.note("bad", "not upgraded")
      throw error
    } finally {
      this.#successor = null
    }
  }

  /** Ends what has been started and does not serve yet. */
  cancel(): void {
    this.#over = true
    this.#successor?.cancel("this bunlb was told to end")
  }

  async #handOver(
    { fleet, hostServices }: Estate,
    settings: Settings,
    command: readonly string[],
  ): Promise<Outcome> {
    const { listeners, fds } = fleet.handListeners()
    const will = (format: number): AnyHandover =>
      inFormat(format, {
        ...{ format: HANDOVER_FORMAT, listeners },
        admin: settings.admin && adminPlaceOf(settings.admin, hostServices.adminPort ?? 0),
        ...fleet.handOver(),
      })
    const environment = this.#manager?.environment ?? {}
    const limitMs = this.#limits.upgradeMs
    const successor = (this.#successor = new Successor({
      command,
      fds,
      environment,
      will,
      limitMs,
    }))
    const { version, taken } = await successor.served()
    this.#over = true
    this.#manager?.handOver(successor.pid, `bunlb ${version} serves on ${fleet.place}`)
    successor.release()
    hostServices.retire()
    this.#done.resolve(taken)
    const line = `upgraded: bunlb ${version} serves, PID ${successor.pid}`
    this.#log.info(`${line}; PID ${process.pid} drains`)
    return { changes: [line], restart: [], byHand: [] }
  }
}

function inFormat(format: number, handover: Handover): AnyHandover {
  const written = format >= HANDOVER_FORMAT ? handover : toFirstFormat(handover)
  if (written !== null) return written
  const story =
    "the bunlb on disk is of version 1, which knows one listener, with a port and a host"
  throw new Refused("not_upgraded", `${story}: restart instead`)
}

function placeOf({ host, port }: { host: string; port: number }, bound: number): Place {
  return { host, port, bound }
}

function adminPlaceOf(admin: AdminAddress, bound: number): Handover["admin"] {
  return "path" in admin ? admin : placeOf(admin, bound)
}

/** Why a process cannot be followed by another, or null; `init`: the name of PID 1. */
export function obstacleTo(pid: number, parent: number, init: string): string | null {
  const ends = pid === 1 || (parent === 1 && inits.includes(init))
  return ends ? "the container would end with this process; start one of the new image" : null
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim()
  } catch {
    return ""
  }
}
