/**
 * The facts of one request head, as the scanner states them and everyone else reads them, with the bytes that they
 * speak of. A message belongs to the stream on which it came, from the head until the request needs no more sending.
 */
import { FieldSection } from "./field-section.ts"

export interface HeadLimits {
  readonly headBytes: number
  readonly requestLineBytes: number
  readonly fields: number
}

export const GET = 1
export const HEAD = 2
export const POST = 3
export const PUT = 4
export const DELETE = 5
export const OPTIONS = 6
export const TRACE = 7
export const OTHER_METHOD = 8

const nothing = Buffer.alloc(0)

/** Offsets point into `bytes`; -1 says absent. Used again for another request. */
export class RequestMessage {
  /** The arena: the head is at `[start..end)`, perhaps with something of the body behind it. */
  bytes: Buffer = nothing
  start = 0
  end = 0
  method = OTHER_METHOD
  /** Sending it twice is the same as sending it once (RFC 9110 section 9.2.2). */
  idempotent = false
  methodStart = 0
  methodEnd = 0
  targetStart = 0
  targetEnd = 0
  /** Where the path begins: after the authority of an absolute target, else `targetStart`. */
  pathStart = 0
  absolute = false
  /** 0 or 1: the minor version of HTTP/1. */
  minor = 1
  /** The effective host: the authority of an absolute target, else the Host field. */
  hostStart = -1
  hostEnd = -1
  contentLength = -1
  chunked = false
  keepAlive = true
  expectContinue = false
  /** Its lines ended with LF alone, so those of a chunked body may as well. */
  bareLf = false
  /** Bunlbs that it has passed before. */
  hops = 0
  /** Position of the Expect line that goes on as it came; -1 when one has to be written. */
  expect = -1
  /** Connection names fields, or options that mean nothing here. */
  nominates = false
  /** What Max-Forwards says where it counts: with TRACE and OPTIONS; else -1. */
  maxForwards = -1
  /** Position of the first Upgrade field when it offers a protocol that may be switched to, else -1. */
  upgrade = -1
  /** An Authorization that binds the backend's connection to this client (NTLM, Negotiate). */
  bindsConnection = false
  readonly fields: FieldSection

  constructor(limits: Pick<HeadLimits, "fields">) {
    this.fields = new FieldSection(limits.fields)
  }

  /** The head, with what follows it, is now in `bytes` at `start`: what it was scanned in is about to be used again. */
  moveTo(bytes: Buffer, start: number): void {
    const by = start - this.start
    this.bytes = bytes
    if (by === 0) return
    this.start = start
    this.end += by
    this.methodStart += by
    this.methodEnd += by
    this.targetStart += by
    this.targetEnd += by
    this.pathStart += by
    if (this.hostStart >= 0) {
      this.hostStart += by
      this.hostEnd += by
    }
    this.fields.moveBy(by)
  }

  /** Lets go of the bytes. */
  clear(): void {
    this.bytes = nothing
  }
}
