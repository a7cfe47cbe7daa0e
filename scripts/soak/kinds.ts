/**
 * Every kind of exchange that the soak makes, with how often and what must come of it. A kind throws when something
 * else comes; it says whether the client's connection goes on.
 */
import { RawClient, type RawResponse } from "../../test/support/raw-client.ts"
import { WireEnded } from "../../test/support/wire.ts"
import type { Rng } from "../../test/support/until.ts"
import { ID, page, sha256 } from "./pages.ts"

/** The answer is whole and well formed, and not what it must be. */
export class Unexpected extends Error {
  override readonly name = "Unexpected"
}

/** Longer than all limits that the soak sets for bunlb: who waits so long was forgotten. */
const ANSWER_MS = 15_000

export class Job {
  constructor(
    readonly client: RawClient,
    readonly random: Rng,
    /** Differs for every exchange, the parts of one pipeline too. */
    readonly nextId: () => number,
  ) {}

  head(method: string, path: string, id: number, ...fields: string[]): string {
    const lines = [`${method} ${path} HTTP/1.1`, "Host: soak", `${ID}: ${id}`, ...fields]
    return `${lines.join("\r\n")}\r\n\r\n`
  }

  /** The answer to `id`, which must have this status. */
  async answer(id: number, status: number = 200, head: boolean = false): Promise<RawResponse> {
    const response = await this.client.receiveResponse({ head }, ANSWER_MS)
    if (response.status !== status) throw new Unexpected(`status ${response.status}`)
    const given = response.field(ID)
    if (given !== `${id}` && status !== 502) throw new Unexpected(`the answer of ${given}`)
    return response
  }

  async get(path: string, expected: Uint8Array | string, id: number): Promise<boolean> {
    void this.client.send(this.head("GET", path, id))
    const response = await this.answer(id)
    same(response.body, expected)
    return staysOpen(response)
  }

  async post(path: string, body: Buffer, framing: string, wire: Buffer): Promise<Buffer> {
    const id = this.nextId()
    void this.client.send(Buffer.concat([Buffer.from(this.head("POST", path, id, framing)), wire]))
    const response = await this.answer(id)
    const expected = path === "/mirror" ? body : `${body.length} ${sha256(body)}`
    same(response.body, expected)
    this.open = staysOpen(response)
    return response.body
  }

  open = true
}

export interface Kind {
  readonly name: string
  /** How often, against the others. */
  readonly share: number
  /** Its time says how fast bunlb is: short, and nobody waits on purpose. */
  readonly timed: boolean
  readonly run: (job: Job) => Promise<boolean>
}

export const kinds: readonly [Kind, ...Kind[]] = [
  quick("GET", 30, (job) => {
    const [id, length] = [job.nextId(), job.random.between(0, 8_000)]
    return job.get(`/bytes/${length}`, page(id, length), id)
  }),
  quick("HEAD", 8, async (job) => {
    const id = job.nextId()
    void job.client.send(job.head("HEAD", "/bytes/5000", id))
    const response = await job.answer(id, 200, true)
    if (response.field("content-length") !== "5000") throw new Unexpected("another length")
    return staysOpen(response)
  }),
  quick("POST", 15, (job) => upload(job, "/hash", job.random.between(0, 20_000))),
  quick("POST chunked", 8, (job) => uploadChunks(job, "/hash", job.random.between(1, 20_000))),
  quick("chunked both ways", 6, (job) => {
    return uploadChunks(job, "/mirror", job.random.between(1, 20_000))
  }),
  quick("GET chunked", 8, (job) => {
    const [id, length] = [job.nextId(), job.random.between(1, 30_000)]
    return job.get(`/chunks/${length}`, page(id, length), id)
  }),
  slow("GET 1 MB", 2, (job) => {
    const id = job.nextId()
    return job.get("/bytes/1000000", page(id, 1_000_000), id)
  }),
  slow("POST 2 MB", 1, (job) => upload(job, "/hash", 2_000_000)),
  slow("events", 2, (job) => {
    const events = job.random.between(1, 20)
    const text = Array.from({ length: events }, (_, at) => `data: ${at}\n\n`).join("")
    return job.get(`/events/${events}`, text, job.nextId())
  }),
  slow("slow answer", 2, (job) => {
    return job.get(`/wait/${job.random.between(50, 900)}`, "waited\n", job.nextId())
  }),
  slow("until close", 3, (job) => {
    const [id, length] = [job.nextId(), job.random.between(0, 50_000)]
    return job.get(`/close/${length}`, page(id, length), id)
  }),
  slow("HTTP/1.0", 3, http10),
  slow("pipelined", 4, pipelined),
  slow("tunnel", 1.5, tunnel),
  slow("leaves in the response", 2, (job) => leave(job, "GET", "/bytes/1000000", "")),
  slow("leaves in the request", 2, (job) => {
    return leave(job, "POST", "/hash", "Content-Length: 100000")
  }),
  slow("surplus bytes", 1, (job) => job.get("/surplus", "exact", job.nextId())),
  slow("early answer", 1, async (job) => {
    const id = job.nextId()
    const head = job.head("POST", "/early", id, "Content-Length: 1000000")
    void job.client.send(Buffer.concat([Buffer.from(head), page(id, 1_000_000)]))
    await job.answer(id, 413)
    return false
  }),
  slow("garbage", 0.5, (job) => refused(job, "/garbage")),
  slow("reset", 0.5, (job) => refused(job, "/reset")),
  slow("cut short", 0.5, async (job) => {
    const id = job.nextId()
    void job.client.send(job.head("GET", "/cut/100000", id))
    const answer = await job.answer(id).catch((error: unknown) => error)
    // A length or chunks show the cut, whether FIN or a reset ends the connection.
    if (answer instanceof WireEnded) return false
    throw answer instanceof Error ? answer : new Unexpected("half an answer passed for a whole one")
  }),
]

type Run = Kind["run"]

function quick(name: string, share: number, run: Run): Kind {
  return { name, share, timed: true, run }
}

function slow(name: string, share: number, run: Run): Kind {
  return { name, share, timed: false, run }
}

function staysOpen(response: RawResponse): boolean {
  return response.field("connection")?.toLowerCase() !== "close"
}

function same(body: Buffer, expected: Uint8Array | string): void {
  const bytes = typeof expected === "string" ? Buffer.from(expected) : expected
  if (!body.equals(bytes)) throw new Unexpected(`a wrong body of ${body.length} bytes`)
}

async function upload(job: Job, path: string, length: number): Promise<boolean> {
  const body = page(job.random.between(0, 60_000), length)
  await job.post(path, body, `Content-Length: ${length}`, body)
  return job.open
}

async function uploadChunks(job: Job, path: string, length: number): Promise<boolean> {
  const body = page(job.random.between(0, 60_000), length)
  const pieces: Buffer[] = []
  for (let at = 0; at < length;) {
    const size = Math.min(length - at, job.random.between(1, 4_000))
    pieces.push(Buffer.from(`${size.toString(16)}\r\n`), body.subarray(at, at + size), crlf)
    at += size
  }
  pieces.push(Buffer.from("0\r\n\r\n"))
  await job.post(path, body, "Transfer-Encoding: chunked", Buffer.concat(pieces))
  return job.open
}

const crlf = Buffer.from("\r\n")

/** The old version gets a whole body without chunks, and the end of the connection. */
async function http10(job: Job): Promise<boolean> {
  const [id, length] = [job.nextId(), job.random.between(1, 20_000)]
  const path = job.random.pick([`/chunks/${length}`, `/bytes/${length}`])
  void job.client.send(`GET ${path} HTTP/1.0\r\nHost: soak\r\n${ID}: ${id}\r\n\r\n`)
  const response = await job.answer(id)
  if (response.framing === "chunked") throw new Unexpected("chunks for HTTP/1.0")
  same(response.body, page(id, length))
  return false
}

async function pipelined(job: Job): Promise<boolean> {
  const ids = Array.from({ length: job.random.between(2, 8) }, () => job.nextId())
  const requests = ids.map((id) => job.head("GET", `/bytes/${id % 5_000}`, id))
  void job.client.send(requests.join(""))
  for (const id of ids) {
    const response = await job.answer(id)
    same(response.body, page(id, id % 5_000))
    // Requests behind an answer that closes are the client's to send again.
    if (!staysOpen(response)) return false
  }
  return true
}

async function tunnel(job: Job): Promise<boolean> {
  const id = job.nextId()
  const fields = ["Connection: Upgrade", "Upgrade: websocket"]
  void job.client.send(job.head("GET", "/tunnel", id, ...fields))
  await job.answer(id, 101)
  for (let round = job.random.between(1, 5); round > 0; round--) {
    const bytes = page(id + round, job.random.between(1, 100_000))
    void job.client.send(bytes)
    const echo = await job.client.receiveBytes(bytes.length, ANSWER_MS)
    if (!echo.equals(bytes)) throw new Unexpected("other bytes from the tunnel")
    await Bun.sleep(job.random.between(0, 200))
  }
  await job.client.halfClose()
  await job.client.closed(ANSWER_MS)
  return false
}

async function leave(job: Job, method: string, path: string, field: string): Promise<boolean> {
  const id = job.nextId()
  void job.client.send(`${job.head(method, path, id, ...(field === "" ? [] : [field]))}`)
  if (method === "POST") void job.client.send("a part of it")
  await Bun.sleep(job.random.between(0, 20))
  job.client.reset()
  return false
}

/** The backend has no sound answer, whatever bunlb tries. */
async function refused(job: Job, path: string): Promise<boolean> {
  const id = job.nextId()
  void job.client.send(job.head("GET", path, id))
  return staysOpen(await job.answer(id, 502))
}
