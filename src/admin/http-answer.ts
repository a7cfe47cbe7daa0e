/**
 * Answers of the admin listener, and their heads as bytes (RFC 9112). A body is made of pieces that many answers may
 * share, or comes as a stream whose length nobody knows.
 */

type Headers = Readonly<Record<string, string>>

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: readonly Uint8Array[] | ReadableStream<Uint8Array>
}

export const noStore: Headers = { "cache-control": "no-store" }

const encoder = new TextEncoder()

export function answerText(status: number, type: string, text: string, headers: Headers): Answer {
  const body = text === "" ? [] : [encoder.encode(text)]
  return { status, headers: { ...headers, "content-type": type }, body }
}

export const JSON_CONTENT_TYPE = "application/json;charset=utf-8"

export function answerJson(value: object, status = 200, headers: Headers = noStore): Answer {
  return answerText(status, JSON_CONTENT_TYPE, JSON.stringify(value), headers)
}

/** What every refusal of this listener looks like. */
export function refuse(status: number, code: string, message: string, headers: Headers = {}) {
  return answerJson({ error: { code, message } }, status, { ...noStore, ...headers })
}

export function tooMany(): Answer {
  const message = "too many ask for this at once; come again"
  return refuse(503, "too_many_requests", message, { "retry-after": "1" })
}

const phrases: Readonly<Record<number, string>> = {
  200: "OK",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  413: "Content Too Large",
  414: "URI Too Long",
  417: "Expectation Failed",
  422: "Unprocessable Content",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  503: "Service Unavailable",
  505: "HTTP Version Not Supported",
  508: "Loop Detected",
}

/** What the request says about the form of its answer. */
export interface Terms {
  /** The minor version of HTTP/1. */
  readonly minor: number
  readonly keepAlive: boolean
}

/** The connection must close behind this answer: HTTP/1.0 knows no other end of a body of unknown length. */
export function endsByClose({ body }: Answer, { minor }: Terms): boolean {
  return body instanceof ReadableStream && minor === 0
}

export function headOf(answer: Answer, terms: Terms): Buffer {
  const { status, headers, body } = answer
  const lines = [`HTTP/1.1 ${status} ${phrases[status] ?? "Error"}`]
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`)
  lines.push(`date: ${new Date().toUTCString()}`)
  if (!(body instanceof ReadableStream)) {
    lines.push(`content-length: ${body.reduce((sum, { length }) => sum + length, 0)}`)
  } else if (terms.minor > 0) lines.push("transfer-encoding: chunked")
  if (!terms.keepAlive) lines.push("connection: close")
  else if (terms.minor === 0) lines.push("connection: keep-alive")
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1")
}

const lineEnd = Buffer.from("\r\n")

/** `piece`, which is not empty, as one chunk. */
export function chunkOf(piece: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, lineEnd])
}

export const lastChunk = Buffer.from("0\r\n\r\n")
export const continueHead = Buffer.from("HTTP/1.1 100 Continue\r\n\r\n")
