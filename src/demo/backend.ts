/**
 * The test backend: a web server that says what it received, streams as much as it is asked for, and is slow or
 * broken on request. It gathers nothing: uploads are hashed as they pass, downloads wait for the reader.
 *
 *   /                     200 "NAME says hello", the target of probes
 *   /echo                 JSON: method, target and fields as they came, length and SHA-256 of the body
 *   /bytes/N              N foretold bytes (see pattern.ts)
 *   /stream?events=N&interval=MS   server-sent events
 *   /delay/MS  /status/CODE
 *
 * node:http and not Bun.serve, because Bun.serve rewrites the target and sorts and joins the fields: an echo must not.
 */
import { createServer } from "node:http"
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http"
import { createServer as createTlsServer } from "node:https"
import type { AddressInfo } from "node:net"
import { BunlbError } from "../core/errors.ts"
import type { Log } from "../core/log.ts"
import { patternAt } from "./pattern.ts"
import { testCertificate, testKey } from "./test-certificate.ts"

interface BackendOptions {
  readonly host: string
  /** 0 for any free one. */
  readonly port: number
  readonly name: string
  /** Milliseconds before each answer. */
  readonly delay: number
  /** The share of requests, 0 to 1, that are answered with `status`; evenly spread, not drawn. */
  readonly failRate: number
  readonly status: number
  readonly tls: boolean
  /** Told of each request at level debug. */
  readonly log: Log | null
}

interface TestBackend {
  readonly port: number
  stop(): void
}

/** Longer than any balancer's own limit, so that it is the balancer that gives up first. */
const KEEP_ALIVE_MS = 120_000

export async function startBackend(options: BackendOptions): Promise<TestBackend> {
  const answer = answererOf(options)
  const limits = { keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: 0, headersTimeout: 0 }
  const certificate = { key: testKey, cert: testCertificate }
  const server = options.tls
    ? createTlsServer({ ...limits, ...certificate }, answer)
    : createServer(limits, answer)
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(listenError(error, options)))
    server.listen(options.port, options.host, resolve)
  })
  const address = server.address() as AddressInfo
  return {
    port: address.port,
    stop: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

function listenError(error: NodeJS.ErrnoException, { host, port }: BackendOptions): BunlbError {
  const place = `${host}:${port}`
  if (error.code === "EADDRINUSE") {
    return new BunlbError(
      "BUNLB_E_PORT_IN_USE",
      `${place} is already in use; choose another with -p`,
    )
  }
  if (error.code === "EACCES") {
    return new BunlbError(
      "BUNLB_E_PORT_PRIVILEGED",
      `${place} needs root; choose a port from 1024 on`,
    )
  }
  return new BunlbError("BUNLB_E_LISTEN", `cannot listen on ${place}: ${error.message}`)
}

/** Delay and failures first, then the page that was asked for. */
function answererOf({ name, delay, failRate, status, log }: BackendOptions): RequestListener {
  let owedFailures = 0
  return (request, response) => {
    response.setHeader("X-Backend", name)
    owedFailures += failRate
    const fails = owedFailures >= 1
    if (fails) owedFailures -= 1
    if (log?.debugging === true) log.debug(`${name}: ${request.method} ${request.url}`)
    const answer = (): void => {
      if (fails) say(response, status, `${name} answers ${status}\n`)
      else answerPage(name, request, response)
    }
    if (delay > 0) setTimeout(answer, delay)
    else answer()
  }
}

function answerPage(name: string, request: IncomingMessage, response: ServerResponse): void {
  const [path = "", query = ""] = (request.url ?? "").split("?")
  const [, page = "", argument = ""] = path.split("/")
  const amount = Number(argument)
  switch (page) {
    case "":
      return say(response, 200, `${name} says hello\n`)
    case "echo":
      return echo(name, request, response)
    case "stream":
      return sendEvents(name, new URLSearchParams(query), response)
  }
  if (!/^\d+$/.test(argument)) return say(response, 404, `${name} has no such page\n`)
  switch (page) {
    case "bytes":
      return sendBytes(amount, response)
    case "delay":
      setTimeout(() => say(response, 200, `${name} waited ${amount} ms\n`), amount)
      return
    case "status":
      if (amount < 200 || amount > 599) return say(response, 400, "a status is 200 to 599\n")
      return say(response, amount, `${name} answers ${amount}\n`)
    default:
      return say(response, 404, `${name} has no such page\n`)
  }
}

function say(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, {
    "Content-Type": "text/plain",
    "Content-Length": Buffer.byteLength(text),
  })
  response.end(text)
}

/** A pair of strings that JSON.stringify has spread over four lines: one line reads better. */
const splitPair = /\[\s+("(?:[^"\\]|\\.)*"),\s+("(?:[^"\\]|\\.)*")\s+\]/g

function echo(name: string, request: IncomingMessage, response: ServerResponse): void {
  const hash = new Bun.CryptoHasher("sha256")
  let bodyLength = 0
  request.on("data", (piece: Buffer) => {
    bodyLength += piece.length
    hash.update(piece)
  })
  request.on("end", () => {
    const { method, url: target, rawHeaders: raw } = request
    const headers: [string, string][] = []
    for (let at = 0; at < raw.length; at += 2) headers.push([raw[at] ?? "", raw[at + 1] ?? ""])
    const bodySha256 = hash.digest("hex")
    const report = { backend: name, method, target, headers, bodyLength, bodySha256 }
    const body = `${JSON.stringify(report, null, 2).replace(splitPair, "[$1, $2]")}\n`
    response.setHeader("Content-Type", "application/json")
    response.setHeader("Content-Length", Buffer.byteLength(body))
    response.end(body)
  })
}

function sendBytes(length: number, response: ServerResponse): void {
  response.writeHead(200, {
    "Content-Type": "application/octet-stream",
    "Content-Length": length,
  })
  if (response.req.method === "HEAD") return void response.end()
  let sent = 0
  const sendMore = (): void => {
    while (sent < length) {
      const piece = patternAt(sent, length - sent)
      sent += piece.length
      if (!response.write(piece)) return
    }
    response.end()
    response.off("drain", sendMore)
  }
  response.on("drain", sendMore)
  sendMore()
}

function sendEvents(name: string, query: URLSearchParams, response: ServerResponse): void {
  const events = Number(query.get("events") ?? 10)
  const interval = Number(query.get("interval") ?? 1000)
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" })
  let sent = 0
  const sendOne = (): void => {
    if (sent === events) {
      clearInterval(timer)
      response.end()
      return
    }
    sent++
    response.write(`id: ${sent}\ndata: ${name} says ${sent}\n\n`)
  }
  const timer = setInterval(sendOne, interval)
  response.on("close", () => clearInterval(timer))
  sendOne()
}
