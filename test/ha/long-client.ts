/**
 * A program: exchanges that are under way all the time, until SIGTERM; then one line of JSON with what became of each.
 *
 *   bun test/ha/long-client.ts HOST PORT
 *
 * Some connections are kept and asked again and again, some requests arrive in pieces, some downloads and uploads take
 * as long as they can: whatever moment the address moves in, there is one of each in it.
 */
import type { Asked } from "./outage.ts"

const KEPT = 20
const SLOW_HEADS = 10
const DOWNLOADS = 5
const UPLOADS = 5
/** As long as a person waits. */
const PATIENCE_MS = 5_000

const [host = "", port = ""] = process.argv.slice(2)
const asked: Asked[] = []
const now = (): number => performance.timeOrigin + performance.now()
let ending = false

/** A connection whose answers are read as text, as they come. */
class Wire {
  /** The other end has said that it will close after this answer. */
  last = false
  #text = ""
  #news = Promise.withResolvers<void>()
  #fault = ""
  #socket: Bun.Socket | null = null

  async dial(): Promise<this> {
    this.#socket = await Bun.connect({
      hostname: host,
      port: Number(port),
      socket: {
        data: (_socket, bytes) => {
          this.#text += bytes.toString("latin1")
          this.#wake()
        },
        close: (_socket, error) => this.#end(error === undefined ? "closed" : "reset"),
      },
    })
    return this
  }

  send(text: string): void {
    this.#socket?.write(text)
  }

  /** Reads on to the end of `mark`; throws what went wrong instead. */
  async until(mark: string): Promise<void> {
    const at = this.#text.indexOf(mark)
    if (at >= 0) {
      this.last ||= /\r\nconnection: close\r\n/i.test(this.#text.slice(0, at))
      this.#text = this.#text.slice(at + mark.length)
      return
    }
    if (this.#fault !== "") throw new Error(this.#fault)
    const late = setTimeout(() => this.#end("late"), PATIENCE_MS)
    await this.#news.promise
    clearTimeout(late)
    return this.until(mark)
  }

  close(): void {
    this.#socket?.terminate()
  }

  #end(fault: string): void {
    this.#fault ||= fault
    this.#wake()
  }

  #wake(): void {
    this.#news.resolve()
    this.#news = Promise.withResolvers()
  }
}

type Exchange = (wire: Wire) => Promise<void>

/** A request and its answer, which takes 30 ms. */
const kept: Exchange = async (wire) => {
  wire.send("GET /delay/30 HTTP/1.1\r\nHost: lab\r\n\r\n")
  await wire.until("waited 30 ms\n")
}

const slowHead: Exchange = async (wire) => {
  for (const piece of ["GET / HT", "TP/1.1\r\nHo", "st: lab\r\n", "\r\n"]) {
    wire.send(piece)
    await Bun.sleep(10)
  }
  await wire.until("says hello\n")
}

/** Events for as long as the test takes: the last one asked for. */
const download: Exchange = async (wire) => {
  wire.send("GET /stream?events=1000000&interval=20 HTTP/1.1\r\nHost: lab\r\n\r\n")
  await wire.until("\r\n\r\n")
  for (let event = 1; !ending; event++) await wire.until(`id: ${event}\n`)
}

const PIECE = "x".repeat(1_000)

const upload: Exchange = async (wire) => {
  wire.send("POST /echo HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked\r\n\r\n")
  let pieces = 0
  for (; !ending; pieces++) {
    wire.send(`3e8\r\n${PIECE}\r\n`)
    await Bun.sleep(10)
  }
  wire.send("0\r\n\r\n")
  await wire.until(`"bodyLength": ${pieces * PIECE.length}`)
}

/** The same exchange again and again; on a new connection only after a fault, or when it was told to. */
async function keepOn(exchange: Exchange): Promise<void> {
  let wire: Wire | null = null
  while (!ending) {
    const start = now()
    let outcome = "ok"
    try {
      wire ??= await new Wire().dial()
      await exchange(wire)
    } catch (error) {
      outcome = error instanceof Error && error.message !== "" ? error.message : "refused"
      await Bun.sleep(20)
    }
    if (outcome !== "ok" || wire?.last === true) {
      wire?.close()
      wire = null
    }
    asked.push({ start, took: now() - start, outcome })
  }
}

const all = [
  [kept, KEPT],
  [slowHead, SLOW_HEADS],
  [download, DOWNLOADS],
  [upload, UPLOADS],
] as const
const running = all.flatMap(([exchange, count]) =>
  Array.from({ length: count }, () => keepOn(exchange)),
)
console.log("asks")

process.on("SIGTERM", async () => {
  ending = true
  await Promise.all(running)
  console.log(JSON.stringify(asked))
  process.exit(0)
})
