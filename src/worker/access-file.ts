/**
 * Where the lines of the access log go: a file, a pipe or standard output, in batches, by writes that never hold up the
 * event loop. What a slow disk or reader does not take waits here up to a limit; beyond it lines are dropped, and
 * counted.
 *
 * Every write holds whole lines, and to a pipe no more than it takes in one piece: lines of several workers do not mix.
 * A full disk takes parts of lines: such a part is taken back, so that no line is glued to the next. Each line is
 * written whole or counted as dropped, once. A named pipe that nobody reads is opened again each second.
 */
import { closeSync, write, writeSync } from "node:fs"
import type { Log } from "../core/log.ts"
import type { LineSink } from "../proxy/core/access-log.ts"
import { isGiven, openDestination, takeBack, type Destination } from "./log-destination.ts"

/** Characters that may wait. */
const WAITING_LIMIT = 4 * 1024 * 1024
/** PIPE_BUF. */
const PIPE_BATCH = process.platform === "linux" ? 4096 : 512
const FILE_BATCH = 256 * 1024
const SETTLE_MS = 1_000
/** Between two complaints about a file that cannot be written. */
const COMPLAINT_MS = 60_000
/** Between two tries to find a reader of a named pipe. */
const READER_MS = 1_000
const NEWLINE = 10

export class AccessFile implements LineSink {
  readonly #path: string
  readonly #log: Log
  readonly #limit: number
  /** Null: a named pipe that nobody reads, or closed. */
  #to: Destination | null
  #closed = false
  #lines: string[] = []
  #next = 0
  #waiting = 0
  /** What is being written, from `#written` on. */
  #chunk: Buffer | null = null
  #written = 0
  /** The destination of the write that is under way. */
  #writing: Destination | null = null
  /** A part of a line is at the end of the file and could not be taken back. */
  #torn = false
  #complained = -Infinity
  #triedAt = -Infinity
  dropped = 0

  /** Throws `BunlbError` when the file cannot be opened. */
  constructor(path: string, log: Log, limit = WAITING_LIMIT) {
    this.#path = path
    this.#log = log
    this.#limit = limit
    this.#to = openDestination(path)
    if (this.#to === null) this.#tellUnread()
  }

  add(line: string): void {
    if (this.#closed || this.#waiting + line.length > this.#limit) {
      this.dropped++
      return
    }
    this.#waiting += line.length
    this.#lines.push(line)
  }

  /** Begins to write what waits; goes on by itself until nothing waits or nothing is taken. */
  flush(): void {
    if (this.#writing !== null || this.#closed || !this.#hasSomething()) return
    const to = this.#to ?? this.#connect()
    const chunk = to === null ? null : this.#take(to)
    if (to === null || chunk === null) return
    this.#writing = to
    const rest = chunk.length - this.#written
    write(to.fd, chunk, this.#written, rest, null, (error, count) => {
      this.#writing = null
      const goesOn = this.#took(to, error, count)
      if (to !== this.#to) this.#leave(to)
      if (goesOn) this.flush()
      if (this.#closed && this.#chunk !== null) this.#drop(this.#chunk)
    })
  }

  #hasSomething(): boolean {
    return this.#chunk !== null || this.#next < this.#lines.length
  }

  /** The next bytes to write: whole lines, or the rest of some. */
  #take({ isFile }: Destination): Buffer | null {
    if (this.#chunk !== null) return this.#chunk
    if (this.#next === this.#lines.length) return null
    const batch = isFile ? FILE_BATCH : PIPE_BATCH
    let size = 0
    const from = this.#next
    while (this.#next < this.#lines.length) {
      const length = this.#lines[this.#next]?.length ?? 0
      if (size > 0 && size + length > batch) break
      size += length
      this.#next++
    }
    const lines = this.#lines.slice(from, this.#next).join("")
    // Ends what could not be taken back: one bad line, and the next ones are good.
    this.#chunk = Buffer.from(this.#torn ? `\n${lines}` : lines)
    this.#written = 0
    this.#waiting -= size
    if (this.#next === this.#lines.length) {
      this.#lines = []
      this.#next = 0
    }
    return this.#chunk
  }

  /** Books a write. False: not now. */
  #took(to: Destination, error: NodeJS.ErrnoException | null, count: number): boolean {
    const chunk = this.#chunk
    if (chunk === null) return false
    if (error === null) {
      this.#written += count
      if (count > 0) this.#torn = false
      if (this.#written === chunk.length) this.#chunk = null
      // A disk takes all, unless it is full. A pipe takes the rest later.
      else if (to.isFile) this.#full(to, chunk)
      return this.#chunk !== null || this.#next < this.#lines.length
    }
    if (error.code === "EAGAIN") return false
    if (error.code === "EPIPE" && to.isNamedPipe) {
      this.#loseReader(to, chunk)
      return false
    }
    this.#drop(chunk)
    this.#complain(`cannot be written (${error.code}), lines are dropped`)
    return false
  }

  /** What is not written of it. */
  #drop(chunk: Buffer): void {
    // A line end in front only ends what could not be taken back.
    const ends = this.#torn && this.#written === 0 ? 1 : 0
    this.dropped += linesIn(chunk.subarray(this.#written)) - ends
    this.#chunk = null
  }

  /** Only whole lines stay in the file; the others are dropped. */
  #full(to: Destination, chunk: Buffer): void {
    const begin = this.#written === 0 ? 0 : chunk.lastIndexOf(NEWLINE, this.#written - 1) + 1
    const part = this.#written - begin
    this.#drop(chunk)
    if (part > 0) this.#torn = !takeBack(to.fd, part)
    this.#complain("cannot be written (short write), lines are dropped")
  }

  /** What was not written whole waits for the next reader, but for a line of which the last one has a part. */
  #loseReader(to: Destination, chunk: Buffer): void {
    const isWhole = this.#written === 0 || chunk[this.#written - 1] === NEWLINE
    const next = isWhole ? this.#written : chunk.indexOf(NEWLINE, this.#written) + 1
    if (!isWhole) this.dropped++
    this.#chunk = next === chunk.length ? null : chunk.subarray(next)
    this.#written = 0
    if (this.#to === to) this.#to = null
    this.#tellUnread()
  }

  /** Looks whether somebody reads the named pipe by now. */
  #connect(): Destination | null {
    const now = performance.now()
    if (now - this.#triedAt < READER_MS) return null
    this.#triedAt = now
    try {
      this.#to = openDestination(this.#path)
    } catch (error) {
      this.#complain(error instanceof Error ? error.message : String(error))
    }
    return this.#to
  }

  /** Opens the file by its name again, after it was moved away; what cannot be opened changes nothing. */
  reopen(): void {
    if (isGiven(this.#path) || this.#closed) return
    try {
      const to = openDestination(this.#path)
      if (to === null) return
      const before = this.#to
      this.#to = to
      this.#torn = false
      if (before !== null && this.#writing !== before) this.#leave(before)
    } catch (error) {
      this.#log.warn(`${error instanceof Error ? error.message : error}; the old one is kept`)
    }
  }

  /** What is taken at once is written before it returns; the rest is dropped. */
  close(): void {
    if (this.#closed) return
    const to = this.#to ?? this.#connect()
    // A write that is under way ends by itself, and closes the file then.
    const isBusy = this.#writing !== null
    if (to !== null && !isBusy) this.#writeAllTo(to)
    this.#closed = true
    this.#to = null
    if (this.#chunk !== null && !isBusy) this.#drop(this.#chunk)
    this.dropped += this.#lines.length - this.#next
    this.#lines = []
    this.#next = 0
    if (to !== null && !isBusy) this.#leave(to)
  }

  #writeAllTo(to: Destination): void {
    for (let chunk = this.#take(to); chunk !== null; chunk = this.#take(to)) {
      try {
        const count = writeSync(to.fd, chunk, this.#written, chunk.length - this.#written)
        this.#took(to, null, count)
      } catch {
        return
      }
    }
  }

  /** Resolves when nothing waits any more, or when that takes too long. */
  async settled(): Promise<void> {
    const until = performance.now() + SETTLE_MS
    while (performance.now() < until) {
      this.flush()
      if (this.#closed || !this.#hasSomething() || (this.#to ?? this.#connect()) === null) return
      await Bun.sleep(5)
    }
  }

  #leave({ fd }: Destination): void {
    if (fd > 2) closeSync(fd)
  }

  #tellUnread(): void {
    this.#complain("is a pipe that no program reads: its lines wait, and are dropped beyond 4 MiB")
  }

  #complain(fault: string): void {
    const now = performance.now()
    if (now - this.#complained < COMPLAINT_MS) return
    this.#complained = now
    this.#log.warn(`access log ${this.#path} ${fault}`)
  }
}

function linesIn(chunk: Buffer): number {
  let count = 0
  for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, at + 1)) count++
  return count
}
