/** What one of the three does with one case: told by its client's side and by the backend behind it. */
import { Recorder, type Answer } from "./recorder.ts"
import type { RawCase } from "./requests.ts"
import type { ResponseCase } from "./responses.ts"

/** Nothing more is expected when nothing has come for so long: after an answer, and without one. */
const QUIET_MS = 40
const SILENT_MS = 250
/** The same, where an answer has to come. */
const PATIENT_MS = 2500
/** No case takes longer. */
const LIMIT_MS = 3000

export interface Verdict {
  /** Such as `forwards 1, then 400`, `refuses 400`, `closes`, `waits`; for responses `200, whole` and the like. */
  readonly text: string
  /** Messages that got through. */
  readonly passed: number
  readonly refused: boolean
}

const honest: Answer = { text: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", close: false }
const own: Answer = { text: "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nown", close: false }

export class Subject {
  readonly recorder = new Recorder(() => honest)
  port = 0

  async request({ text }: RawCase): Promise<Verdict> {
    this.recorder.clear()
    this.recorder.answerTo = (target) =>
      target === "/own" ? own : /^HEAD/.test(this.recorder.seen.at(-1) ?? "") ? bodiless : honest
    const { received, ended } = await this.#send(text)
    const { seen } = this.recorder
    const passed = seen.length
    const statuses = [...received.matchAll(/HTTP\/1\.[01] ([1-5]\d\d) /g)].map(([, code]) => code)
    const refusal = statuses.find((code) => /^[45]/.test(code ?? ""))
    const malformed = seen.some((each) => each.startsWith("malformed"))
    const refused = refusal !== undefined || (ended && statuses.length === 0)
    if (passed > 0) {
      const then = refusal === undefined ? "" : `, then ${refusal}`
      return { text: `forwards ${passed}${malformed ? " malformed" : ""}${then}`, passed, refused }
    }
    if (refusal !== undefined) return { text: `refuses ${refusal}`, passed, refused }
    if (statuses.length > 0) return { text: `answers ${statuses.join(" ")}`, passed, refused }
    return { text: ended ? "closes" : "waits", passed, refused }
  }

  /** What the client of this response gets, and whether the next client gets its own. */
  async response({ text, toHead, close }: ResponseCase): Promise<Verdict> {
    this.recorder.clear()
    this.recorder.answerTo = (target) => (target === "/own" ? own : { text, close })
    const method = toHead ? "HEAD" : "GET"
    const { received, ended } = await this.#send(`${method} /case HTTP/1.1\r\nHost: h\r\n\r\n`)
    const next = await this.#send("GET /own HTTP/1.1\r\nHost: h\r\n\r\n", PATIENT_MS)
    const poisoned = next.received.endsWith("own") ? "" : "; the next client does not get its own"
    const status = finalStatus(received)
    const ofTheirs = status !== null && !/^50[234]$/.test(status)
    const what =
      status === null
        ? ended
          ? "closes"
          : "waits"
        : `${status}, ${wholeness(received, toHead || /204|304/.test(status))}`
    const refused = !ofTheirs && what !== "waits"
    return { text: what + poisoned, passed: ofTheirs ? 1 : 0, refused }
  }

  async #send(text: string, silent = SILENT_MS): Promise<{ received: string; ended: boolean }> {
    let received = ""
    let ended = false
    const began = performance.now()
    let lastAt = began
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port: this.port,
      socket: {
        data: (_socket, bytes) => {
          received += bytes.toString("latin1")
          lastAt = performance.now()
        },
        close: () => {
          ended = true
        },
        error: () => {
          ended = true
        },
      },
    })
    socket.write(Buffer.from(text, "latin1"))
    while (!ended && performance.now() - began < LIMIT_MS) {
      await Bun.sleep(5)
      const last = Math.max(lastAt, this.recorder.lastAt)
      if (performance.now() - last > (received === "" ? silent : QUIET_MS)) break
    }
    const observed = { received, ended }
    socket.terminate()
    return observed
  }
}

const bodiless: Answer = { text: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", close: false }

function finalStatus(received: string): string | null {
  const heads = received.matchAll(/HTTP\/1\.[01] (\d\d\d)/g)
  for (const [, code = ""] of heads) if (!/^1(?!01)/.test(code)) return code
  return null
}

/** Whether the body is what its framing says, for a reader who trusts it. */
function wholeness(received: string, bodiless: boolean): string {
  const [, head = "", body = ""] =
    /^((?:HTTP\/1\.1 1(?!01)[^]*?\r\n\r\n)*[^]*?\r\n\r\n)([^]*)$/.exec(received) ?? []
  if (bodiless) return body === "" ? "whole" : "with a body"
  const length = /^content-length: *(\d+)/im.exec(head)?.[1]
  if (/^transfer-encoding: *chunked/im.test(head)) {
    return /(^|\r\n)0+\r\n([^\r\n]+\r\n)*\r\n$/.test(body) ? "whole" : "cut"
  }
  if (length !== undefined && body !== "") return body.length === Number(length) ? "whole" : "cut"
  return `${body.length} bytes`
}
