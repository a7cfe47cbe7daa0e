/**
 * Moves body bytes from one socket to another inside the kernel, page by page: they are never copied to bunlb and
 * back. One pipe serves all connections of a process, because it is empty again when `move` returns: what the
 * receiving socket does not take at once is read out of it.
 *
 * Cost: two splice(2) for up to 256 KiB; measured against receiving and sending in docs/performance.md.
 */
import type { Kernel, Pipe } from "./kernel.ts"
import { libc } from "./libc.ts"
import { isOver } from "./peek.ts"
import type { Poller } from "./poller.ts"
import { RECEIVE_ADDRESS, RECEIVE_SIZE, receivedBytes } from "./receive-memory.ts"

/** Fewer bytes than this are copied sooner than moved. */
export const WORTH_MOVING = 32 * 1024

/** EPERM, EINVAL, ENOSYS: so it will be each time. */
const UNABLE = [1, 22, 38]
/** Refusals in a row after which this system is taken for one that cannot do it. */
const REFUSALS = 3

const nothing = Buffer.alloc(0)

export class Splicer {
  readonly #kernel: Kernel
  /** Made for the first move; null also while there are no descriptors for it. */
  #pipe: Pipe | null = null
  /** This system knows how to move bytes between sockets; a sandbox may not. */
  #able = true
  #refusals = 0
  /** What `move` could not hand over, until the next event. */
  rest: Buffer = nothing

  constructor(kernel: Kernel) {
    this.#kernel = kernel
  }

  /**
   * Moves at most `limit` bytes. Returns how many have left `from`, 0 at its FIN, -1 at its reset; of these `rest` have
   * not been taken by `to`. Null when nothing can be moved now, for lack of bytes or of memory or because the system
   * cannot: what there is is to be received.
   */
  move(from: number, to: number, limit: number): number | null {
    this.#pipe ??= this.#kernel.pipe(RECEIVE_SIZE)
    if (!this.#able || this.#pipe === null) return null
    const { into, out } = this.#pipe
    this.rest = nothing
    const moved = this.#kernel.splice(from, into, Math.min(limit, RECEIVE_SIZE))
    if (moved < 0) return this.#movedNone(from, libc().errno())
    this.#refusals = 0
    let left = moved
    while (left > 0) {
      const taken = this.#kernel.splice(out, to, left)
      if (taken <= 0) break
      left -= taken
    }
    if (left > 0) this.rest = this.#readOut(left, this.#pipe)
    return moved
  }

  #movedNone(from: number, errno: number): null | -1 {
    if (isOver(from)) return -1
    this.#refusals = UNABLE.includes(errno) ? this.#refusals + 1 : 0
    if (this.#refusals === REFUSALS) this.#able = false
    return null
  }

  /**
   * A pipe gives all it has at once (pipe(7)). Should it ever not, nobody else must get what it keeps: the pipe goes,
   * and with it the exchange.
   */
  #readOut(length: number, pipe: Pipe): Buffer {
    const read = this.#kernel.read(pipe.out, RECEIVE_ADDRESS, length)
    if (read === length) return receivedBytes(length)
    this.#kernel.close(pipe.into)
    this.#kernel.close(pipe.out)
    this.#pipe = null
    throw new Error(`a pipe of ${length} bytes gave ${read}`)
  }
}

let made: Splicer | null = null

/** The one of this process, whose pipe all direct sockets share. */
export function splicerOf({ kernel }: Poller): Splicer {
  return (made ??= new Splicer(kernel))
}
