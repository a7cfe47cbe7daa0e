/**
 * A backend of the soak, in a process of its own: serves pages of every framing, and misbehaves when a request asks
 * for it. Says the id of every POST to its parent, which counts them.
 *
 *   bun scripts/soak/backend.ts PORT
 */
import { answer } from "../../test/support/scripted-backend.ts"
import { fieldOf, receiveBody, receiveHead } from "../../test/support/messages.ts"
import { Wire, wireHandlers } from "../../test/support/wire.ts"
import { ID, page, sha256 } from "./pages.ts"

/** A connection is closed after so many requests: clean closes are part of the traffic. */
const REQUESTS = 200
const PIECES = 8

interface Request {
  readonly method: string
  readonly name: string
  readonly argument: number
  readonly id: string
  readonly body: Buffer
  readonly last: boolean
}

type Page = (wire: Wire, request: Request) => Promise<boolean> | boolean

/** Each says whether the connection goes on. */
const pages: Record<string, Page> = {
  "": (wire, request) => whole(wire, request, "fine\n"),
  bytes: (wire, request) => whole(wire, request, page(Number(request.id), request.argument)),
  hash: (wire, request) => whole(wire, request, `${request.body.length} ${sha256(request.body)}`),
  chunks: (wire, request) => chunks(wire, request, page(Number(request.id), request.argument), 0),
  mirror: (wire, request) => chunks(wire, request, request.body, 0),
  events: (wire, request) => {
    const text = Array.from({ length: request.argument }, (_, at) => `data: ${at}\n\n`).join("")
    return chunks(wire, request, Buffer.from(text), 20)
  },
  wait: async (wire, request) => {
    await Bun.sleep(request.argument)
    return whole(wire, request, "waited\n")
  },
  close: async (wire, request) => {
    const fields = `HTTP/1.1 200 OK\r\n${ID}: ${request.id}\r\nConnection: close\r\n\r\n`
    await wire.send(fields)
    await wire.send(page(Number(request.id), request.argument))
    return false
  },
  surplus: (wire, request) => {
    void wire.send(`${answer(200, "exact", `${ID}: ${request.id}`)}surplus`)
    return true
  },
  garbage: async (wire) => {
    await wire.send("HTTP/1.1 2OO what is this?\r\n\r\n")
    return false
  },
  reset: (wire) => {
    wire.reset()
    return false
  },
  cut: async (wire, request) => {
    const head = `HTTP/1.1 200 OK\r\n${ID}: ${request.id}\r\nContent-Length: ${request.argument}`
    await wire.send(`${head}\r\n\r\n`)
    await wire.send(page(Number(request.id), request.argument >> 1))
    return false
  },
}

Bun.listen<Wire>({
  hostname: "127.0.0.1",
  port: Number(process.argv[2]),
  allowHalfOpen: true,
  socket: {
    ...wireHandlers,
    open: (socket) => {
      socket.data = new Wire()
      socket.data.socket = socket
      void serve(socket.data).catch(() => socket.terminate())
    },
  },
})
process.send?.("ready")

async function serve(wire: Wire): Promise<void> {
  for (let count = 1; count <= REQUESTS; count++) {
    const { startLine, fields } = await receiveHead(wire, Infinity)
    const [method = "", target = ""] = startLine.split(" ")
    const [, name = "", argument = "0"] = target.split("/")
    const id = fieldOf(fields, ID) ?? ""
    if (fieldOf(fields, "upgrade") !== null) return tunnel(wire, id)
    if (name === "early") {
      const early = answer(413, "no more", `${ID}: ${id}`, "Connection: close")
      await wire.send(early)
      return wire.close()
    }
    const { body } = await receiveBody(wire, fields, "none", Infinity)
    if (method === "POST") process.send?.(id)
    const request = { method, name, argument: Number(argument), id, body, last: count === REQUESTS }
    const serveIt = pages[name]
    if (serveIt === undefined) throw new Error(`no page ${target}`)
    if (!(await serveIt(wire, request))) break
  }
  await wire.close()
}

function fieldsOf(request: Request): string[] {
  return request.last ? [`${ID}: ${request.id}`, "Connection: close"] : [`${ID}: ${request.id}`]
}

async function whole(wire: Wire, request: Request, body: Buffer | string): Promise<boolean> {
  const text = typeof body === "string" ? body : body.toString("latin1")
  const bytes = answer(200, text, ...fieldsOf(request))
  await wire.send(request.method === "HEAD" ? bytes.slice(0, -text.length || undefined) : bytes)
  return true
}

async function chunks(wire: Wire, request: Request, body: Buffer, ms: number): Promise<boolean> {
  const lines = ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked", ...fieldsOf(request), "", ""]
  await wire.send(lines.join("\r\n"))
  const size = Math.ceil(body.length / PIECES)
  for (let at = 0; at < body.length; at += size) {
    const piece = body.subarray(at, at + size)
    await wire.send(Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, crlf]))
    if (ms > 0) await Bun.sleep(ms)
  }
  return wire.send("0\r\n\r\n")
}

const crlf = Buffer.from("\r\n")

/** Echoes until the other side has ended. */
async function tunnel(wire: Wire, id: string): Promise<void> {
  const lines = ["HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: websocket"]
  await wire.send(`${lines.join("\r\n")}\r\n${ID}: ${id}\r\n\r\n`)
  wire.sink((bytes) => void wire.send(bytes))
  await wire.closed(Infinity)
  await wire.close()
}
