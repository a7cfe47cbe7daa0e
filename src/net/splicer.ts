/**
 * Moves body bytes from one socket to another inside the kernel, page by page: they are never copied to bunlb and
 * back. One pipe serves all connections of a process, because it is empty again when `move` returns: what the
 * receiving socket does not take at once is read out of it.
 *
 * Cost: two splice(2) for up to 256 KiB; measured against receiving and sending in docs/performance.md.
 */
import type { Kernel, Pipe } from "./kernel.ts"
import { poller } from "./poller.ts"
import { RECEIVE_ADDRESS, RECEIVE_SIZE, receivedBytes } from "./receive-memory.ts"

/** Fewer bytes than this are copied sooner than moved. */
export const WORTH_MOVING = 32 * 1024

const nothing = Buffer.alloc(0)

export class Splicer {
  readonly #kernel: Kernel
  readonly #pipe: Pipe
  /** What `move` could not hand over, until the next event. */
  rest: Buffer = nothing

  constructor(kernel: Kernel, pipe: Pipe) {
    this.#kernel = kernel
    this.#pipe = pipe
  }

  /**
   * Moves at most `limit` bytes. Returns how many have left `from`, 0 at its FIN, -1 with `errno` when there are none;
   * of these `rest` have not been taken by `to`.
   */
  move(from: number, to: number, limit: number): number {
    const { into, out } = this.#pipe
    this.rest = nothing
    const moved = this.#kernel.splice(from, into, Math.min(limit, RECEIVE_SIZE))
    let left = moved
    while (left > 0) {
      const taken = this.#kernel.splice(out, to, left)
      if (taken <= 0) break
      left -= taken
    }
    if (left > 0) this.rest = this.#readOut(left)
    return moved
  }

  /** A pipe gives all it has at once (pipe(7)). */
  #readOut(length: number): Buffer {
    return receivedBytes(this.#kernel.read(this.#pipe.out, RECEIVE_ADDRESS, length))
  }
}

let made: Splicer | null | undefined

/** The one of this process; null where sockets are Bun's, or when there are no descriptors for it. */
export function theSplicer(): Splicer | null {
  if (made === undefined) made = create()
  return made
}

function create(): Splicer | null {
  const kernel = poller()?.kernel
  const pipe = kernel?.pipe(RECEIVE_SIZE)
  return kernel && pipe ? new Splicer(kernel, pipe) : null
}
