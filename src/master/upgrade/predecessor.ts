/**
 * The bunlb before this one, as this one sees it in an upgrade: it leaves its sockets and a will, waits to hear that
 * all serves, and then drains. Should it vanish before that, this one goes on all the same: somebody has to serve.
 */
import type { Settings } from "../../config/schema/settings.ts"
import { isHeld, takeInherited } from "../../net/linux/activation.ts"
import { closeListeners, openListeners, openMore, type Listeners } from "../../net/listeners.ts"
import { BunlbError } from "../../core/errors.ts"
import { version } from "../../core/version.ts"
import {
  HANDOVER_FORMAT,
  type FromSuccessor,
  type SharedPlace,
  type ToSuccessor,
  type Handover,
} from "./handover.ts"

/** Its presence makes a process one that follows another. */
export const SUCCESSOR_ENV = "BUNLB_HEIR"

/** For the will to come: the other one only has to write it. */
const HANDOVER_MS = 10_000

export class Predecessor {
  readonly handover: Handover
  readonly #yours: Promise<void>
  /** Of the descriptors that were handed over, the first so many are in use. */
  #taken = 0

  private constructor(handover: Handover, yours: Promise<void>) {
    this.handover = handover
    this.#yours = yours
  }

  /** The one that has started this process, or null. Throws `BunlbError` when the two do not understand each other. */
  static async find(): Promise<Predecessor | null> {
    if (!isSuccessor()) return null
    const will = Promise.withResolvers<Handover | null>()
    const yours = Promise.withResolvers<void>()
    process.on("message", (message: ToSuccessor) => {
      if (message.type === "will") will.resolve(message.will)
      else yours.resolve()
    })
    process.on("disconnect", yours.resolve)
    say({ type: "hello" })
    const late = setTimeout(() => will.resolve(null), HANDOVER_MS)
    const found = await will.promise
    clearTimeout(late)
    if (found?.format === HANDOVER_FORMAT) return new Predecessor(found, yours.promise)
    const fault =
      found === null ? "does not say what it leaves" : "leaves what this one cannot read"
    throw new BunlbError("BUNLB_E_RUNTIME", `the bunlb before this one ${fault}: restart instead`)
  }

  /**
   * Listening sockets for `count` workers: those that were handed over as far as they are of use, then others. What is
   * not of use stays the predecessor's, who drains it.
   */
  listen({ host, port }: Settings, count: number): Listeners {
    const { listener } = this.handover
    const inherited = takeInherited(listener.count, count)
    const asked = port === listener.port || port === listener.bound
    if (!isHeld() && (host !== listener.host || !asked)) {
      closeListeners(inherited)
      const isOurs = port === listener.bound
      return isOurs ? openMore(host, port, count) : openListeners(host, port, count)
    }
    this.#taken = Math.min(listener.count, count)
    const lacking = count - inherited.length
    const more = lacking > 0 ? openMore(host, listener.bound, lacking).fds : []
    const listening = inOrder(inherited, listener.places ?? null)
    return { port: listener.bound, fds: [...inherited, ...more], listening }
  }

  /** The place that both may share for a while, or null when the settings ask for another. */
  adminPlace(admin: NonNullable<Settings["admin"]>): SharedPlace | null {
    const before = this.handover.admin
    if (before === null) return null
    if ("path" in admin || "path" in before) {
      const same = "path" in admin && "path" in before && admin.path === before.path
      return same ? { port: null } : null
    }
    const same = before.host === admin.host && [before.port, before.bound].includes(admin.port)
    return same ? { port: before.bound } : null
  }

  /** Says that all serves; resolves when the predecessor leaves. */
  async succeed(): Promise<void> {
    say({ type: "serves", version, taken: this.#taken })
    await this.#yours
    delete process.env[SUCCESSOR_ENV]
    if (process.connected) process.disconnect?.()
  }
}

/** By place, or null when others are before them: those are about to leave, and what moves then is not known here. */
function inOrder(fds: readonly number[], places: readonly number[] | null): number[] | null {
  const order = fds.map((_, place) => fds[places?.indexOf(place) ?? -1] ?? -1)
  return order.includes(-1) ? null : order
}

/** Lets the predecessor know why this process ends before it served; does nothing when there is none. */
export async function tellPredecessor(error: unknown): Promise<void> {
  if (!isSuccessor()) return
  const code = error instanceof BunlbError ? error.code : "BUNLB_E_RUNTIME"
  const message = error instanceof Error ? error.message : String(error)
  say({ type: "failed", code, message })
  // What is said right before the end might not leave: the other one hangs up, or is late.
  await Promise.race([new Promise((resolve) => process.on("disconnect", resolve)), Bun.sleep(500)])
}

function isSuccessor(): boolean {
  return process.env[SUCCESSOR_ENV] !== undefined && process.send !== undefined
}

function say(message: FromSuccessor): void {
  try {
    process.send?.(message)
  } catch {
    // It is gone, and `disconnect` says so.
  }
}
