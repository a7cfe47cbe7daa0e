/** An HTTP server of the admin listener by itself, and clients that send it raw bytes. */
import { onTestFinished } from "bun:test"
import { answerText, noStore, type Answer } from "../../src/admin/http-answer.ts"
import type { HttpTimes } from "../../src/admin/http-connection.ts"
import type { AdminRequest } from "../../src/admin/http-request.ts"
import { HttpServer, type HttpOptions } from "../../src/admin/http-server.ts"
import { openListeners } from "../../src/net/listeners.ts"
import { RawClient } from "../support/raw-client.ts"

export const times: HttpTimes = {
  ...{ idleMs: 20_000, headMs: 20_000, bodyMs: 20_000 },
  ...{ workMs: 20_000, stallMs: 20_000, leaveMs: 200 },
}
export const text = (words: string): Answer => answerText(200, "text/plain", words, noStore)

/** Tells what it has been asked for. */
const echo = async (request: AdminRequest): Promise<Answer> =>
  text(`${request.method} ${request.url} ${await request.text()}`)

export function serve(options: Partial<HttpOptions> = {}, respond = echo) {
  const { port, fds } = openListeners("127.0.0.1", 0, 1)
  const server = new HttpServer(fds[0] ?? -1, respond, { times, sweepMs: 10, ...options })
  onTestFinished(() => server.stop())
  const connect = async (): Promise<RawClient> => {
    const client = await RawClient.connect(port)
    onTestFinished(() => client.reset())
    return client
  }
  return { server, port, connect }
}

export const head = "GET /a HTTP/1.1\r\nHost: h\r\n"
export const post = "POST /a HTTP/1.1\r\nHost: h\r\n"
