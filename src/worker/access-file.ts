/**
 * Where the lines of the access log go: a file or standard output, in batches, by writes that never hold up the event
 * loop. What a slow disk or reader does not take waits here up to a limit; beyond it lines are dropped and counted.
 *
 * Every write holds whole lines, and to a pipe no more than it takes in one piece: lines of several workers do not mix.
 */
import { closeSync, constants, fstatSync, openSync, write, writeSync } from "node:fs"
import { BunlbError } from "../observe/errors.ts"
import { fileFault } from "../observe/file-fault.ts"
import type { Log } from "../observe/log.ts"
import type { LineSink } from "../proxy/access-log.ts"

const STANDARD_OUTPUT = "stdout"

/** Characters that may wait. */
const WAITING_LIMIT = 4 * 1024 * 1024
/** PIPE_BUF. */
const PIPE_BATCH = process.platform === "linux" ? 4096 : 512
const FILE_BATCH = 256 * 1024
const SETTLE_MS = 1_000
/** Between two complaints about a file that cannot be written. */
const COMPLAINT_MS = 60_000

const { O_APPEND, O_CREAT, O_NONBLOCK, O_WRONLY } = constants

export class AccessFile implements LineSink {
  readonly #path: string
  readonly #log: Log
  readonly #limit: number
  #fd: number
  #batch: number
  #lines: string[] = []
  #next = 0
  #waiting = 0
  /** What is being written, from `#written` on. */
  #chunk: Buffer | null = null
  #chunkLines = 0
  #written = 0
  /** -1: no write is under way. */
  #writing = -1
  #complained = -Infinity
  dropped = 0

  /** Throws `BunlbError` when the file cannot be opened. */
  constructor(path: string, log: Log, limit = WAITING_LIMIT) {
    this.#path = path
    this.#log = log
    this.#limit = limit
    this.#fd = open(path)
    this.#batch = batchOf(this.#fd)
  }

  add(line: string): void {
    if (this.#fd < 0 || this.#waiting + line.length > this.#limit) {
      this.dropped++
      return
    }
    this.#waiting += line.length
    this.#lines.push(line)
  }

  /** Begins to write what waits; goes on by itself until nothing waits or nothing is taken. */
  flush(): void {
    if (this.#writing >= 0 || this.#fd < 0) return
    const chunk = this.#take()
    if (chunk === null) return
    const fd = this.#fd
    this.#writing = fd
    write(fd, chunk, this.#written, chunk.length - this.#written, null, (error, count) => {
      this.#writing = -1
      if (fd !== this.#fd) closeQuietly(fd)
      if (this.#took(error, count)) this.flush()
    })
  }

  /** The next bytes to write: whole lines, or the rest of some. */
  #take(): Buffer | null {
    if (this.#chunk !== null) return this.#chunk
    if (this.#next === this.#lines.length) return null
    let size = 0
    const from = this.#next
    while (this.#next < this.#lines.length) {
      const { length } = this.#lines[this.#next]
      if (size > 0 && size + length > this.#batch) break
      size += length
      this.#next++
    }
    this.#chunk = Buffer.from(this.#lines.slice(from, this.#next).join(""))
    this.#chunkLines = this.#next - from
    this.#waiting -= size
    this.#written = 0
    if (this.#next === this.#lines.length) {
      this.#lines = []
      this.#next = 0
    }
    return this.#chunk
  }

  /** Books a write. False: not now. */
  #took(error: NodeJS.ErrnoException | null, count: number): boolean {
    if (error?.code === "EAGAIN" || this.#chunk === null) return false
    if (error !== null) {
      this.dropped += this.#chunkLines
      this.#chunk = null
      this.#complain(`cannot be written (${error.code}), lines are dropped`)
      return false
    }
    this.#written += count
    if (this.#written === this.#chunk.length) this.#chunk = null
    return true
  }

  /** Opens the file by its name again, after it was moved away; what cannot be opened changes nothing. */
  reopen(): void {
    if (this.#path === STANDARD_OUTPUT || this.#fd < 0) return
    try {
      const fd = open(this.#path)
      if (this.#writing !== this.#fd) closeQuietly(this.#fd)
      this.#fd = fd
      this.#batch = batchOf(fd)
    } catch (error) {
      this.#log.warn(`${error instanceof Error ? error.message : error}; the old one is kept`)
    }
  }

  /** What is taken at once is written before it returns; the rest is dropped. */
  close(): void {
    if (this.#fd < 0) return
    const fd = this.#fd
    // A write under way ends by itself, and closes the file then.
    if (this.#writing >= 0) this.#chunk = null
    for (let chunk = this.#take(); chunk !== null; chunk = this.#take()) {
      try {
        this.#took(null, writeSync(fd, chunk, this.#written, chunk.length - this.#written))
      } catch {
        break
      }
    }
    this.dropped += (this.#chunk === null ? 0 : this.#chunkLines) + this.#lines.length - this.#next
    this.#lines = []
    this.#fd = -1
    if (this.#writing < 0) closeQuietly(fd)
  }

  /** Resolves when nothing waits any more, or when that takes too long. */
  async settled(): Promise<void> {
    const until = performance.now() + SETTLE_MS
    while (performance.now() < until) {
      this.flush()
      if (this.#fd < 0 || (this.#chunk === null && this.#next === this.#lines.length)) return
      await Bun.sleep(5)
    }
  }

  #complain(fault: string): void {
    const now = performance.now()
    if (now - this.#complained < COMPLAINT_MS) return
    this.#complained = now
    this.#log.warn(`access log ${this.#path} ${fault}`)
  }
}

function open(path: string): number {
  if (path === STANDARD_OUTPUT) return openStandardOutput()
  try {
    return openSync(path, O_WRONLY | O_APPEND | O_CREAT, 0o640)
  } catch (error) {
    const message = `access log ${path}: cannot be opened: ${fileFault(error)}`
    throw new BunlbError("BUNLB_E_ACCESS_LOG", message)
  }
}

/** Opened anew, so that it does not block and nobody else's flags change; a socket cannot be, and is used as it is. */
function openStandardOutput(): number {
  try {
    return openSync("/proc/self/fd/1", O_WRONLY | O_APPEND | O_NONBLOCK)
  } catch {
    return 1
  }
}

function batchOf(fd: number): number {
  return fstatSync(fd).isFile() ? FILE_BATCH : PIPE_BATCH
}

function closeQuietly(fd: number): void {
  if (fd > 2) closeSync(fd)
}
