/**
 * As many requests as fast as one process can: keep-alive clients and a backend that do next to nothing, on real
 * sockets. Neither makes a promise, a closure or an object for a request, so what is counted is the balancer's.
 */
import type { Socket, TCPSocketListener } from "bun"

/** A browser's, so that scanning and rewriting have something to do. */
const request = Buffer.from(
  [
    "GET /catalogue/shoes?page=3&sort=price HTTP/1.1",
    "Host: www.example.org",
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "Accept-Language: en-GB,en;q=0.7,de;q=0.3",
    "Accept-Encoding: gzip, deflate, br, zstd",
    "Cookie: theme=dark; consent=1; sid=0f8c1b6a5d9e47b2a1c3; _ga=GA1.2.1234567890.1700000000",
    "Connection: keep-alive",
    "Sec-Fetch-Dest: document",
    "Sec-Fetch-Mode: navigate",
    "Priority: u=0, i",
    "\r\n",
  ].join("\r\n"),
)

const BODY = "hello from behind\n"
const response = Buffer.from(
  [
    "HTTP/1.1 200 OK",
    "Server: test",
    "Date: Mon, 23 Nov 2026 12:00:00 GMT",
    "Content-Type: text/plain",
    `Content-Length: ${BODY.length}`,
    "Cache-Control: private",
    "Vary: Accept-Encoding",
    "",
    BODY,
  ].join("\r\n"),
)

const NEWLINE = 10

/** A backend that answers every read with one response: requests here come whole, one at a time. */
export function startPumpBackend(): TCPSocketListener {
  return Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { data: (socket) => void socket.write(response) },
  })
}

/** Clients that ask again as soon as they have their answer. */
export class Pump {
  readonly #sockets: Socket<undefined>[] = []
  #left = 0
  #busy = 0
  #done = Promise.withResolvers<void>()

  static async connect(port: number, connections: number): Promise<Pump> {
    const pump = new Pump()
    const socket = {
      data: (from: Socket<undefined>, bytes: Buffer) => pump.#received(from, bytes),
      close: () => pump.#done.reject(new Error("a connection was closed")),
    }
    for (let index = 0; index < connections; index++) {
      pump.#sockets.push(await Bun.connect({ hostname: "127.0.0.1", port, socket }))
    }
    return pump
  }

  /** Resolves when `count` requests have been answered. */
  async run(count: number): Promise<void> {
    this.#done = Promise.withResolvers<void>()
    this.#left = count
    this.#busy = Math.min(count, this.#sockets.length)
    for (const socket of this.#sockets.slice(0, this.#busy)) this.#ask(socket)
    await this.#done.promise
  }

  #ask(socket: Socket<undefined>): void {
    this.#left--
    socket.write(request)
  }

  /** The body's last byte ends an answer. Its first line is looked at, so that no error is taken for an answer. */
  #received(socket: Socket<undefined>, bytes: Buffer): void {
    if (bytes[9] !== 50) this.#done.reject(new Error(bytes.toString("latin1")))
    if (bytes[bytes.length - 1] !== NEWLINE) return
    if (this.#left > 0) this.#ask(socket)
    else if (--this.#busy === 0) this.#done.resolve()
  }

  stop(): void {
    this.#done.promise.catch(() => undefined)
    for (const socket of this.#sockets) socket.terminate()
  }
}
