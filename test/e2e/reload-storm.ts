/**
 * Reload after reload under load: short requests on many connections, WebSockets that are open all the while, an
 * upload and a long poll that last from the first reload to after the last. Backends come and go, weights, time limits
 * and the strategy change; SIGHUP and the admin API take turns. Everything that is not whole at the end is told.
 */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { RawClient } from "../support/raw-client.ts"
import { PATIENCE_MS, until } from "../support/until.ts"
import { Load } from "./load.ts"
import { RunningBunlb } from "./running-bunlb.ts"

export interface StormOptions {
  readonly reloads: number
  /** Milliseconds from one reload to the next. */
  readonly every: number
  readonly clients: number
  /** Answers before the first reload, so that memory is that of a process at work. */
  readonly warm: number
  readonly flags?: readonly string[]
}

export interface StormOutcome {
  readonly requests: number
  readonly failures: readonly unknown[]
  /** Answers by the backend that gave them. */
  readonly answers: ReadonlyMap<string, number>
  readonly reloads: number
  /** Messages that came back through WebSockets. */
  readonly echoes: number
  readonly uploaded: number
  readonly received: number
  readonly polled: string
  /** Resident bytes of all processes together, warm and at the end. */
  readonly memory: readonly [before: number, after: number]
}

const PIECE = Buffer.alloc(4_000, "x")
const WEB_SOCKETS = 3
const SETTLE_MS = 1_500
const WARM_MS = 60_000

/** Fails when a reload is refused, or a WebSocket ends or loses a message. */
export async function reloadStorm(options: StormOptions): Promise<StormOutcome> {
  const folder = mkdtempSync(join(tmpdir(), "bunlb-storm-"))
  const backends = Array.from({ length: 4 }, (_, index) => startBackend(`b${index}`))
  try {
    const file = join(folder, "bunlb.json")
    writeConfig(file, backends, 0)
    await using bunlb = await RunningBunlb.start([], ["-c", file, ...(options.flags ?? [])])
    return await blow(bunlb, file, backends, options)
  } finally {
    for (const { server } of backends) await server.stop(true)
    rmSync(folder, { recursive: true, force: true })
  }
}

type Backend = ReturnType<typeof startBackend>

async function blow(
  bunlb: RunningBunlb,
  file: string,
  backends: readonly Backend[],
  { reloads, every, clients, warm }: StormOptions,
): Promise<StormOutcome> {
  const load = new Load(bunlb.port, { clients, pause: 2 })
  await until(() => load.ok > warm, WARM_MS, "the load to be warm")
  const before = await bunlb.figure("bunlb_process_resident_memory_bytes")
  const talks = Array.from({ length: WEB_SOCKETS }, () => new Talk(bunlb.port))
  const poller = await RawClient.connect(bunlb.port)
  void poller.send("GET /poll HTTP/1.1\r\nHost: storm\r\n\r\n")
  const upload = new Upload(await RawClient.connect(bunlb.port))
  for (let number = 1; number <= reloads; number++) {
    const at = performance.now()
    writeConfig(file, backends, number)
    await reload(bunlb, number)
    await Bun.sleep(Math.max(0, every - (performance.now() - at)))
  }
  const received = await upload.finish()
  for (const { release } of backends) release.resolve()
  const polled = (await poller.receiveResponse()).body.toString()
  const echoes = await Promise.all(talks.map((talk) => talk.finish()))
  await load.stop()
  await poller.close()
  await Bun.sleep(SETTLE_MS)
  const after = await bunlb.figure("bunlb_process_resident_memory_bytes")
  return {
    requests: load.ok + load.failures.length + load.refused,
    failures: load.failures,
    answers: load.answers,
    reloads: await bunlb.figure("bunlb_config_reloads_total", 'result="ok"'),
    echoes: echoes.reduce((sum, count) => sum + count, 0),
    uploaded: upload.sent,
    received,
    polled,
    memory: [before, after],
  }
}

async function reload(bunlb: RunningBunlb, number: number): Promise<void> {
  if (number % 2 === 0) {
    const url = `http://127.0.0.1:${bunlb.adminPort}/api/v1/reload`
    const response = await fetch(url, { method: "POST" })
    if (!response.ok) throw new Error(`reload ${number}: ${await response.text()}`)
    return
  }
  bunlb.process.kill("SIGHUP")
  const done = async (): Promise<boolean> =>
    (await bunlb.figure("bunlb_config_reloads_total", 'result="ok"')) >= number
  await until(done, PATIENCE_MS, `reload ${number}`)
}

/** The first two are always there, the others by turns; everything else changes as well. */
function writeConfig(file: string, backends: readonly Backend[], number: number): void {
  const there = backends.filter((_, index) => index < 2 || (number + index) % 3 !== 0)
  const config = {
    strategy: (["round_robin", "weighted", "random", "sticky"] as const)[(number >> 1) % 4],
    backends: there.map(
      ({ port }, index) => `127.0.0.1:${port},weight=${1 + ((number + index) % 3)}`,
    ),
    health: { interval: `${1 + (number % 3)}s`, path: "/" },
    timeouts: { connect: `${1 + (number % 2)}s`, response_head: "10m" },
    pool: { idle: 64 + (number % 2) * 64 },
  }
  // In one step, as a careful editor does it.
  writeFileSync(`${file}.new`, JSON.stringify(config))
  renameSync(`${file}.new`, file)
}

function startBackend(name: string) {
  const release = Promise.withResolvers<void>()
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    async fetch(request, server): Promise<Response | undefined> {
      const { pathname } = new URL(request.url)
      if (pathname === "/echo" && server.upgrade(request)) return undefined
      if (pathname === "/poll") await release.promise
      if (pathname === "/upload") return new Response(String(await size(request)))
      return new Response("whole", { headers: { "x-backend": name } })
    },
    websocket: { message: (socket, message) => void socket.send(message) },
  })
  return { server, release, port: server.port ?? 0 }
}

async function size(request: Request): Promise<number> {
  let total = 0
  for await (const piece of request.body ?? []) total += piece.length
  return total
}

/** One message after the other through one WebSocket. */
class Talk {
  readonly #socket: WebSocket
  readonly #failed = Promise.withResolvers<never>()
  readonly #done = Promise.withResolvers<number>()
  #count = 0
  #ending = false

  constructor(port: number) {
    this.#socket = new WebSocket(`ws://127.0.0.1:${port}/echo`)
    const fail = (what: string): void => this.#failed.reject(new Error(`a WebSocket ${what}`))
    this.#failed.promise.catch(() => {})
    this.#socket.onopen = () => this.#socket.send("0")
    this.#socket.onclose = () => fail(`ended after ${this.#count} messages`)
    this.#socket.onmessage = ({ data }) => {
      if (data !== String(this.#count)) fail(`brought ${data} instead of ${this.#count}`)
      this.#count++
      if (this.#ending) this.#done.resolve(this.#count)
      else setTimeout(() => this.#socket.send(String(this.#count)), 5)
    }
  }

  /** Waits for the message under way; the number of messages that came back. */
  async finish(): Promise<number> {
    this.#ending = true
    const count = await Promise.race([this.#done.promise, this.#failed.promise])
    this.#socket.onclose = null
    this.#socket.close()
    return count
  }
}

/** One request body, a piece at a time. */
class Upload {
  readonly #client: RawClient
  readonly #timer: Timer
  sent = 0

  constructor(client: RawClient) {
    this.#client = client
    void client.send("POST /upload HTTP/1.1\r\nHost: storm\r\nTransfer-Encoding: chunked\r\n\r\n")
    this.#timer = setInterval(() => this.#piece(), 10)
  }

  #piece(): void {
    this.sent += PIECE.length
    void this.#client.send(`${PIECE.length.toString(16)}\r\n${PIECE}\r\n`)
  }

  /** What the backend says that it received. */
  async finish(): Promise<number> {
    clearInterval(this.#timer)
    const response = await this.#client.exchange("0\r\n\r\n")
    await this.#client.close()
    return Number(response.body)
  }
}
