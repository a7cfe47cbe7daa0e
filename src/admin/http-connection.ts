/**
 * One connection to the admin listener: reads a request, has it answered, and goes on to the next. Requests that are
 * sent ahead wait in the connection and are answered in order.
 *
 *   IDLE      no byte of a request yet
 *   READING   part of a head or a body
 *   WORKING   the answer is being made, or waits for its turn
 *   WRITING   the client is to take the answer
 *   LEAVING   no more is served: FIN has been sent, and what the client still sends is dropped
 */
import { Body } from "../h1/body.ts"
import { BY_CHUNKS, BY_LENGTH, NO_BODY } from "../http/framing.ts"
import { PartialHead } from "../h1/partial-head.ts"
import { BODY_TIMEOUT, HEAD_TIMEOUT, refusals } from "../http/refusal.ts"
import type { Deadlined } from "../core/deadlines.ts"
import { unacknowledged } from "../net/linux/peek.ts"
import type { SocketOwner, TcpSocket } from "../net/transport/socket.ts"
import { Slices } from "../core/slices.ts"
import {
  chunkOf,
  continueHead,
  endsByClose,
  headOf,
  lastChunk,
  refuse,
  tooMany,
} from "./http-answer.ts"
import type { Answer, Terms } from "./http-answer.ts"
import { HEAD_LIMITS, readHead, type AdminRequest, type RequestFacts } from "./http-request.ts"
import { Input, Output } from "./http-streams.ts"
import type { Turns } from "./http-turns.ts"

export interface HttpTimes {
  readonly idleMs: number
  readonly headMs: number
  readonly bodyMs: number
  /** For the answer to be made: an upgrade, or a reload behind one, takes its time. */
  readonly workMs: number
  /** In which a client has to take something of its answer. */
  readonly stallMs: number
  /** For the client to close behind our FIN. */
  readonly leaveMs: number
}

export interface HttpHost {
  readonly times: HttpTimes
  readonly turns: Turns
  /** No further requests are served. */
  readonly closing: boolean
  respond(request: AdminRequest): Promise<Answer>
  left(connection: HttpConnection): void
}

const IDLE = 0
const READING = 1
const WORKING = 2
const WRITING = 3
const LEAVING = 4

/** Beyond this nothing is read; what is less and still too much is refused in control.ts. */
const MAX_BODY_BYTES = 1024 * 1024
/** How much the client may still send behind an answer after which the connection closes. */
const MAX_DROPPED_BYTES = 2 * MAX_BODY_BYTES

export class HttpConnection implements Deadlined, SocketOwner {
  deadlineAt: number
  deadlineSlot = -1
  readonly #host: HttpHost
  readonly #socket: TcpSocket
  readonly #input: Input
  readonly #output: Output
  readonly #body = new Body()
  #phase = IDLE
  /** Since when the client has to do something. */
  #since = performance.now()
  #served = false
  #late = false
  #gone = false
  #clientEnded = false
  #acknowledged = 0
  #dropped = 0
  #stream: { cancel(): Promise<void> } | null = null

  constructor(host: HttpHost, socket: TcpSocket) {
    this.#host = host
    this.#socket = socket
    this.#input = new Input(socket)
    this.#output = new Output(socket)
    this.deadlineAt = this.#since + host.times.idleMs
    void this.#serve()
  }

  received(bytes: Buffer): void {
    if (this.#phase !== LEAVING) return this.#input.put(bytes)
    this.#dropped += bytes.length
    if (this.#dropped > MAX_DROPPED_BYTES) this.abort()
  }

  drained(): void {
    this.#since = performance.now()
    this.#output.drained()
  }

  /** The client has sent FIN. It may still read what it has asked for, but nobody looks at a page any longer. */
  ended(): void {
    this.#clientEnded = true
    this.#input.end()
    if (this.#phase === LEAVING) this.#socket.end()
    else if (this.#stream !== null) this.abort()
  }

  closed(): void {
    if (this.#gone) return
    this.#gone = true
    this.#input.end()
    this.#output.close()
    void this.#stream?.cancel().catch(() => {})
    this.#host.left(this)
  }

  crashed(): void {
    this.abort()
  }

  abort(): void {
    this.#socket.terminate()
    this.closed()
  }

  /**
   * Since when somebody waits for the client; those who watch a stream come behind all others. `Infinity` while the
   * client waits for us.
   */
  get waitsSince(): number {
    if (this.#phase === WORKING) return this.#stream === null ? Infinity : WATCHING + this.#since
    return this.#since
  }

  /** Closes between two requests. Who has not asked yet may still do so. */
  closeIfIdle(): void {
    if (this.#phase === IDLE && this.#served && this.#input.isEmpty) this.#input.end()
  }

  expired(now: number): void {
    switch (this.#phase) {
      case IDLE:
        this.deadlineAt = now + this.#host.times.leaveMs
        return this.#input.end()
      case READING:
        this.#late = true
        this.deadlineAt = now + this.#host.times.leaveMs
        return this.#input.end()
      case WRITING:
        return this.#judgeReading(now)
      default:
        return this.abort()
    }
  }

  /** A slow client takes bytes long before its socket says that there is room again. */
  #judgeReading(now: number): void {
    const acknowledged = this.#output.taken - unacknowledged(this.#socket.fd)
    if (acknowledged === this.#acknowledged) return this.abort()
    this.#acknowledged = acknowledged
    this.#since = now
    this.deadlineAt = now + this.#host.times.stallMs
  }

  #enter(phase: number, limitMs: number): void {
    this.#phase = phase
    this.#since = performance.now()
    this.deadlineAt = this.#since + limitMs
  }

  async #serve(): Promise<void> {
    try {
      while (await this.#exchange()) this.#enter(IDLE, this.#host.times.idleMs)
    } catch {
      // A stream has failed: what the client has got must not look whole.
      return this.abort()
    }
    if (this.#gone) return
    this.#enter(LEAVING, this.#host.times.leaveMs)
    this.#input.drop()
    if (this.#clientEnded) this.#socket.end()
    else this.#socket.shutdown()
  }

  /** Serves one request. Returns whether another one may follow. */
  async #exchange(): Promise<boolean> {
    const { times, turns } = this.#host
    const head = await this.#readHead()
    if (head === null) return this.#late && (await this.#refuse(HEAD_TIMEOUT))
    if (typeof head === "number") return await this.#refuse(head)
    this.#enter(READING, times.bodyMs)
    const body = await this.#readBody(head)
    if (body === null) return this.#late && (await this.#refuse(BODY_TIMEOUT))
    if (!Buffer.isBuffer(body)) return await this.#send(body, false, closing)
    this.#enter(WORKING, times.workMs)
    const { method, url, headers } = head
    const request = { method, url, headers, text: async () => decoder.decode(body) }
    const answer = (await turns.run(method === "POST", () => this.#respond(request))) ?? tooMany()
    const terms = {
      minor: head.minor,
      keepAlive: head.keepAlive && !this.#host.closing && !endsByClose(answer, head),
    }
    this.#served = true
    return await this.#send(answer, method === "HEAD", terms)
  }

  async #respond(request: AdminRequest): Promise<Answer> {
    if (this.#gone) return tooMany()
    return await this.#host.respond(request)
  }

  /** Null when there is no more. */
  async #readHead(): Promise<RequestFacts | number | null> {
    let partial: PartialHead | null = null
    for (;;) {
      const bytes = await this.#input.take()
      if (bytes === null) return null
      if (partial !== null && !partial.add(bytes)) continue
      const all = partial?.bytes ?? bytes
      const head = this.#host.turns.measure(() => readHead(all))
      if (head !== null) {
        if (typeof head !== "number") this.#input.putBack(Buffer.from(all.subarray(head.end)))
        return head
      }
      partial ??= new PartialHead(bytes, 0, bytes.length, HEAD_LIMITS.headBytes)
      if (this.#phase === IDLE) this.#enter(READING, this.#host.times.headMs)
    }
  }

  /** An answer when the body cannot be taken; null when it does not come. */
  async #readBody(head: RequestFacts): Promise<Buffer | Answer | null> {
    const { chunked, contentLength, expectsContinue } = head
    if (contentLength > MAX_BODY_BYTES) return tooLarge
    const framing = chunked ? BY_CHUNKS : contentLength > 0 ? BY_LENGTH : NO_BODY
    const body = this.#body
    body.start(framing, contentLength, false)
    const awaited = expectsContinue && !body.done && this.#input.isEmpty
    if (awaited && !(await this.#output.write(continueHead, new Slices(true)))) return null
    const pieces: Buffer[] = []
    let size = 0
    while (!body.done) {
      const bytes = await this.#input.take()
      if (bytes === null) return null
      const end = body.feed(bytes, 0, bytes.length)
      if (body.refusal !== 0) return answerTo(body.refusal)
      size += body.outEnd
      if (size > MAX_BODY_BYTES) return tooLarge
      pieces.push(bytes.subarray(0, body.outEnd))
      this.#input.putBack(bytes.subarray(end))
    }
    return Buffer.concat(pieces, size)
  }

  async #refuse(refusal: number): Promise<boolean> {
    return await this.#send(answerTo(refusal), false, closing)
  }

  /** Returns whether another request may follow. */
  async #send(answer: Answer, bodiless: boolean, terms: Terms): Promise<boolean> {
    this.#enter(WRITING, this.#host.times.stallMs)
    const { body } = answer
    const head = headOf(answer, terms)
    if (body instanceof ReadableStream) {
      const sent = await this.#write(head)
      return await this.#sendStream(body, bodiless || !sent, terms)
    }
    for (const piece of bodiless ? [head] : joined(head, body)) {
      if (!(await this.#write(piece))) return false
    }
    return terms.keepAlive
  }

  async #write(bytes: Uint8Array): Promise<boolean> {
    const slices = new Slices(true)
    return await this.#host.turns.measure(() => this.#output.write(bytes, slices))
  }

  async #sendStream(body: ReadableStream<Uint8Array>, bodiless: boolean, terms: Terms) {
    const stream = body.getReader()
    if (bodiless || this.#clientEnded) {
      await stream.cancel()
      return bodiless && terms.keepAlive
    }
    this.#stream = stream
    for (;;) {
      this.#enter(WORKING, Infinity)
      const { done, value } = await stream.read()
      this.#enter(WRITING, this.#host.times.stallMs)
      if (this.#gone) return false
      if (done) break
      if (!(await this.#write(terms.minor > 0 ? chunkOf(value) : value))) return false
    }
    this.#stream = null
    const ended = terms.minor === 0 || (await this.#write(lastChunk))
    return ended && terms.keepAlive
  }
}

const decoder = new TextDecoder()

/** A body that is shorter than this goes in one piece with its head. */
const SHORT = 16 * 1024

function joined(head: Buffer, body: readonly Uint8Array[]): readonly Uint8Array[] {
  const size = body.reduce((sum, { length }) => sum + length, 0)
  return size < SHORT ? [Buffer.concat([head, ...body])] : [head, ...body]
}

/** Later than any moment: see `waitsSince`. */
const WATCHING = 2 ** 50

const closing = { minor: 1, keepAlive: false } as const

const tooLarge = refuse(413, "too_large", `a body has at most ${MAX_BODY_BYTES} bytes`)

function answerTo(refusal: number): Answer {
  const { status, reason, text } = refusals[refusal] ?? { status: 400, reason: "bad", text: "" }
  return refuse(status, reason, text)
}
