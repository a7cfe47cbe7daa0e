/**
 * The response of one exchange on its way from the backend to the client. The head is scanned, cleaned and sent
 * together with the first body bytes in one write; the body follows as it comes. Nothing is sent to the client
 * before its head is proven sound.
 */
import { Body } from "../../h1/body.ts"
import { BARE_LF, BLANKS } from "../../h1/chunked.ts"
import { nominatedNames } from "../../http/field-section.ts"
import { BY_CHUNKS, BY_CLOSE } from "../../http/framing.ts"
import { readResponseHead } from "../../h1/head-reader.ts"
import { PartialHead } from "../../h1/partial-head.ts"
import { CHUNK } from "../../http/refusal.ts"
import { responseFaults } from "../../h1/response.ts"
import type { ResponseMessage } from "../../http/response-message.ts"
import { noNames } from "../../http/trailers.ts"
import { WORTH_MOVING } from "../../net/linux/splicer.ts"
import type { ClientStream } from "./client-stream.ts"
import type { Gateway } from "../core/gateway.ts"
import type { RequestRelay } from "./request-relay.ts"

/** What a piece of response has led to. */
export const MORE = 0
export const COMPLETE = 1
/** Unusable, and nothing of it has been sent. */
const BAD = 2
/** Unusable, and the client has the first part of it. */
export const BROKEN = 3
/** The backend answers 101: the head is at `head*` for the exchange to judge. */
export const SWITCHES = 4

/** What the exchange knows and the relay needs. */
export interface RelayTerms {
  /** A Set-Cookie line to add, or null. */
  cookieLine(): Uint8Array | null
}

/**
 * 1xx responses that are relayed before a final one; RFC 9110 section 15.2 sets no limit. More are dropped, and so are
 * those that a slow client has no room for: the time limit of the response head ends what never becomes final.
 */
const INTERIMS_RELAYED = 256

/** A sender may have ten segments on their way at once (RFC 6928), so that no reset overtakes so much. */
const BRIEF = 10 * 1024

export class ResponseRelay {
  readonly #request: RequestRelay
  readonly #client: ClientStream
  readonly #gateway: Gateway
  readonly #body = new Body()
  #partial: PartialHead | null = null
  #interims = 0
  /** A byte of a response has come, so the request is not to be sent again. */
  answered = false
  /** The final head has been sent to the client. */
  started = false
  /** It came whole with its head and is so short that it leaves for the client at once. */
  brief = false
  status = 0
  /** The backend keeps its connection, and nothing but the response has come on it. */
  reusable = false
  /** The response authenticates the connection and not the request (RFC 4559). */
  binds = false
  /** For how many seconds the backend says that it keeps an idle connection, else -1. */
  idleSeconds = -1
  /** The client's connection goes on after this response. */
  keepAlive = false
  /** The client can tell where it ends before the connection does: by a length or by chunks. */
  delimited = false
  /** Why it is `BAD`. */
  fault = ""
  /** A head of status 101 and what follows it, when it `SWITCHES`: kept until the next `reset`. */
  switching: ResponseMessage | null = null

  constructor(client: ClientStream, gateway: Gateway, request: RequestRelay) {
    this.#request = request
    this.#client = client
    this.#gateway = gateway
  }

  /** Made ready for the response to a new attempt. */
  reset(): void {
    this.#partial = null
    this.#interims = 0
    this.answered = false
    this.started = false
    this.brief = false
    this.status = 0
    this.reusable = false
    this.binds = false
    this.idleSeconds = -1
    this.keepAlive = false
    this.delimited = false
    if (this.switching !== null) this.#gateway.messages.giveResponse(this.switching)
    this.switching = null
  }

  receive(bytes: Buffer, terms: RelayTerms): number {
    if (this.started) return this.#relayBody(bytes, 0)
    this.answered = true
    if (this.#partial !== null) {
      if (!this.#partial.add(bytes)) return MORE
      bytes = this.#partial.bytes
    }
    return this.#receiveHead(bytes, terms)
  }

  /** All of the response has come. */
  get done(): boolean {
    return this.#body.done
  }

  /** What is left of the body need not be looked at, and is so much that moving it is worth while. */
  get movable(): boolean {
    const { splicer, trace } = this.#gateway
    return splicer !== null && trace === null && this.#body.left >= WORTH_MOVING
  }

  /** As `Mover`: has the kernel move body bytes on to the client, unless bytes before them wait there. */
  move(from: number): number | null {
    const { splicer, figures } = this.#gateway
    const client = this.#client
    if (splicer === null || client.sink < 0) return null
    const moved = splicer.move(from, client.sink, this.#body.left)
    if (moved === null || moved <= 0) return moved
    figures.fromBackend += moved
    this.#body.skip(moved)
    const { rest } = splicer
    client.moved(moved - rest.length)
    client.send(rest, 0, rest.length)
    return moved
  }

  /** The backend's connection has ended in good order. */
  end(): number {
    if (!this.started) return BAD
    return this.#body.endsByClose ? COMPLETE : BROKEN
  }

  #receiveHead(received: Buffer, terms: RelayTerms): number {
    const { messages } = this.#gateway
    const head = messages.takeResponse()
    const outcome = this.#readHeads(received, head, terms)
    if (outcome === SWITCHES) this.switching = head
    else messages.giveResponse(head)
    return outcome
  }

  /** Interim heads, and the final one; each is read into `head`. */
  #readHeads(received: Buffer, head: ResponseMessage, terms: RelayTerms): number {
    const gateway = this.#gateway
    const limit = this.#request.pool.settings.limits.responseHeadBytes
    const bare = gateway.settings.http.bareLf === "accept"
    let bytes = received
    let from = 0
    while (from < bytes.length) {
      const end = readResponseHead(bytes, from, limit, this.#request.bodiless, bare, head)
      if (end === 0) {
        if (this.#partial === null || from > 0) {
          this.#partial = new PartialHead(bytes, from, bytes.length, limit)
        }
        return MORE
      }
      if (end < 0) return this.#bad(responseFaults[-end] ?? "malformed response")
      bytes = head.bytes
      if (head.status >= 200) return this.#start(head, terms)
      if (head.status === 101) return SWITCHES
      gateway.trace?.response(this.#client.id, bytes, from, end)
      const relays = this.#interims < INTERIMS_RELAYED && this.#client.room >= 0
      if (relays) this.#client.sendInterim(head)
      if (relays) this.#interims++
      this.#partial = null
      from = end
    }
    return MORE
  }

  #bad(fault: string): number {
    this.fault = fault
    return BAD
  }

  #start(head: ResponseMessage, terms: RelayTerms): number {
    const gateway = this.#gateway
    const { bytes, start, end } = head
    gateway.trace?.response(this.#client.id, bytes, start, end)
    const rules = head.bareLf ? BLANKS | BARE_LF : BLANKS
    const nominated =
      head.framing === BY_CHUNKS && head.nominates ? nominatedNames(bytes, head.fields) : noNames
    const { takesChunks } = this.#client
    this.#body.start(head.framing, head.contentLength, takesChunks, rules, nominated)
    const used = this.#body.feed(bytes, end, bytes.length)
    if (this.#body.refusal !== 0) return this.#bad("malformed chunked body")
    this.#partial = null
    this.started = true
    this.status = head.status
    this.brief = this.#body.done && used - start <= BRIEF
    this.binds = head.bindsConnection
    this.idleSeconds = head.idleSeconds
    this.reusable = head.keepAlive && head.framing !== BY_CLOSE && used === bytes.length
    // A pinned connection that ends takes its client's with it.
    const lasts = this.reusable || !this.#request.pinned
    this.delimited = this.#client.delimits(head.framing)
    this.keepAlive = this.delimited && lasts && this.#request.mayKeepAlive
    if (this.#body.outEnd > end) gateway.trace?.body("<", this.#client.id, bytes, end, used)
    const { outEnd, tail } = this.#body
    this.#client.sendHead(head, outEnd, terms.cookieLine(), this.keepAlive)
    if (tail.length > 0) this.#client.send(tail, 0, tail.length)
    return this.#body.done ? COMPLETE : MORE
  }

  #relayBody(bytes: Buffer, from: number): number {
    const body = this.#body
    const used = body.feed(bytes, from, bytes.length)
    // What came before a malformed chunk goes on. Not before a malformed trailer: there it has an end, which is none.
    if (body.refusal !== 0 && body.refusal !== CHUNK) return BROKEN
    this.#gateway.trace?.body("<", this.#client.id, bytes, from, body.outEnd)
    this.#client.send(bytes, from, body.outEnd)
    if (body.tail.length > 0) this.#client.send(body.tail, 0, body.tail.length)
    if (body.refusal !== 0) return BROKEN
    if (!body.done) return MORE
    if (used < bytes.length) this.reusable = false
    return COMPLETE
  }
}
