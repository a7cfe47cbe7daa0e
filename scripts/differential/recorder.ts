/**
 * The backend behind each of the three: keeps every byte that reaches it and answers what it can make out to be a
 * request, by the reference parser of the fuzzers, with an answer of the script's choice.
 */
import type { Socket, TCPSocketListener } from "bun"
import { readChunked } from "../../test/fuzz/reference-body.ts"
import { readRequest } from "../../test/fuzz/reference-request.ts"

const limits = { headBytes: 1 << 20, requestLineBytes: 1 << 20, fields: 1000 }

interface Connection {
  waiting: string
  socket: Socket<Connection> | null
}

export interface Answer {
  readonly text: string
  /** The backend ends its connection after it. */
  readonly close: boolean
}

export class Recorder {
  /** Whole requests since the last `clear`: their first lines and bodies; or what is none, marked so. */
  readonly seen: string[] = []
  /** When a byte came last. */
  lastAt = 0
  /** What is answered to a target. */
  answerTo: (target: string) => Answer
  readonly #listener: TCPSocketListener<Connection>

  constructor(answerTo: (target: string) => Answer) {
    this.answerTo = answerTo
    this.#listener = Bun.listen<Connection>({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open: (socket) => {
          socket.data = { waiting: "", socket }
        },
        data: (socket, bytes) => {
          this.lastAt = performance.now()
          socket.data.waiting += bytes.toString("latin1")
          this.#read(socket)
        },
      },
    })
  }

  get port(): number {
    return this.#listener.port
  }

  clear(): void {
    this.seen.length = 0
  }

  stop(): void {
    this.#listener.stop(true)
  }

  #read(socket: Socket<Connection>): void {
    for (;;) {
      const { waiting } = socket.data
      if (waiting === "") return
      const length = lengthOfRequest(waiting)
      if (length === -1) return
      const text = waiting.slice(0, length === NONE ? waiting.length : length)
      socket.data.waiting = waiting.slice(text.length)
      const [first = ""] = text.split("\r\n")
      this.seen.push(length === NONE ? `malformed: ${JSON.stringify(text)}` : first)
      const { text: answer, close } = this.answerTo(first.split(" ")[1] ?? "")
      socket.write(Buffer.from(answer, "latin1"))
      if (close || length === NONE) {
        socket.end()
        return
      }
    }
  }
}

const NONE = -2

/** -1 while it is not whole, `NONE` when it is no request. */
function lengthOfRequest(text: string): number {
  // How often a request has passed a bunlb is not the question here.
  const head = readRequest(text.replace(/bunlb/gi, "other"), limits)
  if (head.verdict !== "accepted") return head.verdict === "refused" ? NONE : -1
  const { chunked, length } = head.facts
  const body = chunked ? readChunked(text.slice(head.length)) : null
  if (body !== null && body.verdict !== "accepted") return body.verdict === "refused" ? NONE : -1
  const end = head.length + (body?.length ?? length ?? 0)
  return end > text.length ? -1 : end
}
