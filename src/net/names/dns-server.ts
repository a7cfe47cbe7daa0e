/**
 * One question to one name server: over UDP from a socket and a port of its own, over TCP when the answer did not fit.
 * Nothing is remembered, so a name that is asked again is really asked again.
 *
 * Cost: a socket for each question, about 10 us.
 */
import { connect, isIP } from "node:net"
import { type RecordType, type Reply, decodeReply, encodeQuery } from "./dns-message.ts"

export interface NameServerAddress {
  readonly host: string
  readonly port: number
}

/** Why there is no answer, by its code: `ENOTFOUND`, `ENODATA`, `ESERVFAIL`, `ETIMEOUT`, ... */
export class DnsFault extends Error {
  readonly code: string

  constructor(code: string) {
    super(`dns: ${code}`)
    this.code = code
  }
}

type Decode = (bytes: Buffer) => Reply | null

/** The reply, whatever its code. Rejects with `DnsFault` when there is none within `limitMs`. */
export async function askServer(
  server: NameServerAddress,
  name: string,
  type: RecordType,
  limitMs: number,
  rules: { readonly edns: boolean; readonly tcp: boolean },
): Promise<Reply> {
  const [id = 0] = crypto.getRandomValues(new Uint16Array(1))
  const query = encodeQuery(id, name, type, rules.edns)
  if (query === null) throw new DnsFault("EBADNAME")
  const decode: Decode = (bytes) => decodeReply(bytes, id, name, type)
  if (rules.tcp) return await overTcp(server, query, decode, limitMs)
  const reply = await overUdp(server, query, decode, limitMs)
  return reply.truncated ? await overTcp(server, query, decode, limitMs) : reply
}

/** Settles once; `close` is called then. */
class Pending {
  readonly #outcome = Promise.withResolvers<Reply>()
  readonly #timer: Timer
  readonly #decode: Decode
  #close: () => void = () => {}
  settled = false

  constructor(decode: Decode, limitMs: number) {
    this.#decode = decode
    this.#timer = setTimeout(() => this.fail("ETIMEOUT"), limitMs)
    // A question under way keeps no process alive: whoever waits for the answer does.
    this.#timer.unref()
    // It may fail before anybody waits for it.
    this.#outcome.promise.catch(() => {})
  }

  get reply(): Promise<Reply> {
    return this.#outcome.promise
  }

  /** How to close what was opened for this; at once when it is settled already. */
  closeBy(close: () => void): void {
    if (this.settled) close()
    else this.#close = close
  }

  take(bytes: Buffer): void {
    if (this.settled) return
    try {
      const reply = this.#decode(bytes)
      if (reply === null) return
      this.#end()
      this.#outcome.resolve(reply)
    } catch {
      this.fail("EBADRESP")
    }
  }

  fail(code: string): void {
    if (this.settled) return
    this.#end()
    this.#outcome.reject(new DnsFault(code))
  }

  #end(): void {
    this.settled = true
    clearTimeout(this.#timer)
    this.#close()
  }
}

async function overUdp(
  { host, port }: NameServerAddress,
  query: Buffer,
  decode: Decode,
  limitMs: number,
): Promise<Reply> {
  const pending = new Pending(decode, limitMs)
  const options: Bun.udp.ConnectSocketOptions<"buffer"> = {
    hostname: isIP(host.replace(/%.*/, "")) === 6 ? "::" : "0.0.0.0",
    connect: { hostname: host, port },
    socket: {
      data: (_socket, bytes) => pending.take(bytes),
      // Bun gives the error first, though its types say that the socket is.
      error: (...all: readonly unknown[]) =>
        pending.fail(codeOf(all.find((each) => each instanceof Error))),
    },
  }
  try {
    // Bun's types take the options for those of a socket that is not connected.
    const opened: unknown = await Bun.udpSocket(options)
    const socket = opened as Bun.udp.ConnectedSocket<"buffer">
    pending.closeBy(() => socket.close())
    socket.unref()
    if (!pending.settled) socket.send(query)
  } catch (error) {
    pending.fail(codeOf(error))
  }
  return await pending.reply
}

async function overTcp(
  { host, port }: NameServerAddress,
  query: Buffer,
  decode: Decode,
  limitMs: number,
): Promise<Reply> {
  const pending = new Pending(decode, limitMs)
  const framed = Buffer.concat([Buffer.alloc(2), query])
  framed.writeUInt16BE(query.length, 0)
  let received = Buffer.alloc(0)
  // Not `Bun.connect`: its dials cannot be given up, and each would keep its descriptor until the kernel gives up.
  const socket = connect({ host, port })
  pending.closeBy(() => socket.destroy())
  socket.unref()
  socket.on("connect", () => socket.write(framed))
  socket.on("data", (bytes: Buffer) => {
    received = Buffer.concat([received, bytes])
    if (received.length < 2) return
    const end = 2 + received.readUInt16BE(0)
    if (received.length < end) return
    pending.take(received.subarray(2, end))
    // What does not answer the question cannot be waited for: nothing else was asked on this connection.
    pending.fail("EBADRESP")
  })
  socket.on("end", () => pending.fail("ECONNRESET"))
  socket.on("close", () => pending.fail("ECONNRESET"))
  socket.on("error", (error) => pending.fail(codeOf(error)))
  return await pending.reply
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "EIO"
}
