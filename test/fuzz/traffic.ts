/**
 * What happens in one round of the whole-proxy fuzz, as plain data: clients, their requests, the answers that their
 * backend will give, and who breaks what. A round that found a fault is kept as a file and played again.
 */
import type { Rng } from "../support/until.ts"
import { rarely } from "./grammar.ts"

export type BackendFault =
  | "none"
  /** Ends or resets the connection before a byte of a response. */
  | "ends before"
  | "resets before"
  /** Ends or resets it within the body. */
  | "ends within"
  | "resets within"
  /** Sends another response behind its own. */
  | "surplus"
  | "no http"
  | "two lengths"
  /** Answers before it reads the body. */
  | "early"
  /** Ends the connection after the response without having said so. */
  | "ends after"
  | "says nothing"

export interface AnswerPlan {
  readonly status: number
  readonly framing: "length" | "chunked" | "close"
  readonly bytes: number
  readonly interims: number
  readonly close: boolean
  readonly fault: BackendFault
  /** Longest piece in which it is sent; 0 for one write. */
  readonly piece: number
}

export interface RequestPlan {
  readonly id: string
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "DELETE"
  readonly minor: 0 | 1
  /** What its Connection field says, if anything. */
  readonly connection: "" | "close" | "keep-alive"
  readonly framing: "none" | "length" | "chunked"
  readonly bytes: number
  readonly piece: number
  readonly answer: AnswerPlan
}

export interface ClientPlan {
  readonly requests: readonly RequestPlan[]
  /** All requests are sent before the first answer is read. */
  readonly pipelined: boolean
  /** How the client breaks off within its last request, or after it has sent it. */
  readonly fault: "none" | "resets within" | "ends within" | "resets after" | "sends garbage"
}

export interface Round {
  readonly clients: readonly ClientPlan[]
}

const answerFaults: readonly [BackendFault, ...BackendFault[]] = [
  "ends before",
  "resets before",
  "ends within",
  "resets within",
  "surplus",
  "surplus",
  "no http",
  "two lengths",
  "early",
  "early",
  "ends after",
]

/** `calm` rounds have no fault on either side. */
export function makeRound(chance: Rng, calm: boolean): Round {
  let count = 0
  const clients = Array.from({ length: chance.between(2, 8) }, (): ClientPlan => {
    const requests = Array.from({ length: chance.between(1, 5) }, () =>
      makeRequest(chance, `r${++count}`, calm),
    )
    const fault = chance.pick<ClientPlan["fault"]>([
      "resets within",
      "ends within",
      "resets after",
      "sends garbage",
    ])
    return {
      requests,
      pipelined: rarely(chance, 3),
      fault: calm || !rarely(chance, 4) ? "none" : fault,
    }
  })
  return { clients }
}

function makeRequest(chance: Rng, id: string, calm: boolean): RequestPlan {
  const method = chance.pick<RequestPlan["method"]>([
    "GET",
    "GET",
    "HEAD",
    "POST",
    "POST",
    "PUT",
    "DELETE",
  ])
  const minor = rarely(chance, 8) ? 0 : 1
  const framing = chance.pick<RequestPlan["framing"]>(["none", "length", "chunked"])
  return {
    id,
    method,
    minor,
    connection: rarely(chance, 6) ? chance.pick(["close", "keep-alive"]) : "",
    framing: framing === "chunked" && minor === 0 ? "length" : framing,
    bytes: sizeOf(chance),
    piece: pieceOf(chance),
    answer: makeAnswer(chance, calm),
  }
}

function makeAnswer(chance: Rng, calm: boolean): AnswerPlan {
  let fault: BackendFault = calm || !rarely(chance, 4) ? "none" : chance.pick(answerFaults)
  if (!calm && rarely(chance, 400)) fault = "says nothing"
  return {
    status: chance.pick([200, 200, 200, 200, 404, 503, 204, 304]),
    framing: chance.pick(["length", "length", "chunked", "close"]),
    // What comes in one read cannot be mistaken; what comes later may belong to the next exchange.
    bytes: fault === "surplus" ? chance.between(0, 2000) : sizeOf(chance),
    interims: rarely(chance, 6) ? chance.between(1, 3) : 0,
    close: rarely(chance, 6),
    fault,
    piece: fault === "surplus" ? 0 : pieceOf(chance),
  }
}

function sizeOf(chance: Rng): number {
  return rarely(chance, 30) ? chance.between(0, 600_000) : chance.between(0, 3000)
}

function pieceOf(chance: Rng): number {
  return rarely(chance, 3) ? chance.pick([7, 100, 1000]) : 0
}

/** The body of a message: text that no other message has, so that a mix-up shows. */
export function bodyOf(owner: string, bytes: number): string {
  const unit = `<${owner}>`
  return unit.repeat(Math.ceil(bytes / unit.length)).slice(0, bytes)
}

/** The request as it is sent. */
export function requestText({
  id,
  method,
  minor,
  connection,
  framing,
  bytes,
}: RequestPlan): string {
  const lines = [`${method} /${id} HTTP/1.${minor}`, "Host: fuzz"]
  if (connection !== "") lines.push(`Connection: ${connection}`)
  if (framing === "length") lines.push(`Content-Length: ${bytes}`)
  if (framing === "chunked") lines.push("Transfer-Encoding: chunked")
  const body = framing === "none" ? "" : bodyOf(id, bytes)
  return `${lines.join("\r\n")}\r\n\r\n${framing === "chunked" ? chunked(body, id) : body}`
}

/** In chunks whose sizes follow from the id, with an extension and a trailer. */
function chunked(body: string, id: string): string {
  const size = 20 + ((Number(id.slice(1)) * 97) % 1500)
  let text = ""
  for (let at = 0; at < body.length; at += size) {
    const chunk = body.slice(at, at + size)
    text += `${chunk.length.toString(16)};x=${at}\r\n${chunk}\r\n`
  }
  return `${text}0\r\nX-Trailer: ${id}\r\n\r\n`
}

export function hasNoBody(status: number, method: string): boolean {
  return method === "HEAD" || status === 204 || status === 304
}

/** Head and body of the answer, apart, as the backend sends them. */
export function answerText({ id, method, answer }: RequestPlan): { head: string; body: string } {
  const { status, framing, bytes, interims, close, fault } = answer
  const lines = [`HTTP/1.1 ${status} Fuzzed`, `X-Id: ${id}`]
  if (close) lines.push("Connection: close")
  const bodiless = hasNoBody(status, method)
  if (framing === "length" && status !== 204) lines.push(`Content-Length: ${bytes}`)
  if (fault === "two lengths") lines.push("Content-Length: 1", "Content-Length: 2")
  if (framing === "chunked" && !bodiless) lines.push("Transfer-Encoding: chunked")
  const text = bodyOf(`answer to ${id}`, bytes)
  const body = framing === "chunked" ? chunked(text, id) : text
  const interim = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(interims)
  return { head: `${interim}${lines.join("\r\n")}\r\n\r\n`, body: bodiless ? "" : body }
}
