/**
 * The facts of one response head, as the scanner states them and everyone else reads them, with the bytes that they
 * speak of. A message belongs to the stream on which it came, until its head has been sent on.
 */
import { FieldSection } from "./field-section.ts"
import { NO_BODY } from "./framing.ts"

const nothing = Buffer.alloc(0)

/** Offsets point into `bytes`. Used again for another response. */
export class ResponseMessage {
  /** The arena: the head is at `[start..end)`, perhaps with something of the body behind it. */
  bytes: Buffer = nothing
  start = 0
  end = 0
  status = 0
  /** 0 or 1: the minor version of HTTP/1. */
  minor = 1
  /** Offset of the space before the status code. */
  statusStart = 0
  /** No reason phrase, and not even the space before it, which must be there (RFC 9112 section 4). */
  bare = false
  /** Its lines ended with LF alone, so those of a chunked body may as well. */
  bareLf = false
  framing = NO_BODY
  contentLength = -1
  /** Position of a Content-Length or Transfer-Encoding that has to be written anew, else -1. */
  untidy = -1
  /** Connection names fields, or options that mean nothing here. */
  nominates = false
  /** The backend keeps its connection open after this response. */
  keepAlive = true
  /** The backend ties its connection to this client (NTLM, Negotiate). */
  bindsConnection = false
  /** For how many seconds the backend says that it keeps an idle connection, else -1. */
  idleSeconds = -1
  /** Position of the Upgrade field, else -1. */
  upgrade = -1
  readonly fields: FieldSection

  constructor(fieldLimit: number) {
    this.fields = new FieldSection(fieldLimit)
  }

  /** Something of it must be written anew, so that cutting is not enough. */
  get mustBeWritten(): boolean {
    return this.bare || this.untidy >= 0
  }

  /** Lets go of the bytes. */
  clear(): void {
    this.bytes = nothing
  }
}
