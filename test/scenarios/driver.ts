/**
 * The stage of the scenarios: a balancer before one backend that tells what it saw, and the ways to send. Every
 * message goes whole and cut in two before each of its bytes; after it a second client on the same pool must get
 * the answer to its own request.
 */
import { expect } from "bun:test"
import { TestBalancer, type SettingsPart } from "../support/balancer.ts"
import type { Field } from "../support/messages.ts"
import { RawClient, type RawResponse } from "../support/raw-client.ts"
import {
  ScriptedBackend,
  type BackendConnection,
  type ScriptedRequest,
} from "../support/scripted-backend.ts"
import { PATIENCE_MS, until } from "../support/until.ts"
import type { Wire } from "../support/wire.ts"

/** What the backend saw of a request; it travels back in a field of the response. */
export interface Seen {
  readonly method: string
  readonly target: string
  readonly head: string
  readonly fields: readonly Field[]
  readonly body: string
  readonly framing: string
  readonly trailers: readonly Field[]
}

export interface Refusal {
  readonly status: number
  /** Label of `bunlb_rejected_requests_total`. */
  readonly reason: string
  /** The fault is in the body: when that comes later than the head, a backend has seen the head. */
  readonly inBody?: boolean
  /** Cuts to make instead of all, for messages of many kilobytes. */
  readonly cuts?: readonly number[]
}

export type Script = (connection: BackendConnection, request: ScriptedRequest) => Promise<void>

/** Clients at work at the same time. */
const TOO_MANY_FROM_CLIENT = 24
/** No cut: the message leaves in one write. */
export const WHOLE = 0

const bodiless = { body: Buffer.alloc(0), framing: "none", trailers: [] } as const

export class Stage {
  /** How the backend frames its answers. */
  framing: "length" | "chunked" = "length"
  /** What the backend does instead of an echo for targets that begin with `/scripted`. */
  script: Script | null = null
  /** Requests are taken for whole when their head has come. */
  early = false
  readonly #bystanders = { count: 0 }

  private constructor(
    readonly backend: ScriptedBackend,
    readonly balancer: TestBalancer,
  ) {}

  static async open(part: SettingsPart = {}): Promise<Stage> {
    const box: { stage: Stage | null } = { stage: null }
    const backend = await ScriptedBackend.start(async (connection) => {
      for (;;) {
        const stage = box.stage
        const request = stage?.early
          ? {
              ...(await connection.receiveRequestHead()),
              ...bodiless,
              connection: connection.index,
            }
          : await connection.receiveRequest()
        const scripted = request.target.startsWith("/scripted") && stage?.script
        if (scripted) await scripted(connection, request)
        else await connection.send(echo(request, stage?.framing ?? "length"))
      }
    })
    const balancer = await TestBalancer.start([backend.port], part)
    box.stage = new Stage(backend, balancer)
    return box.stage
  }

  [Symbol.dispose](): void {
    this.balancer.stop()
    this.backend.stop()
  }

  connect(): Promise<RawClient> {
    return RawClient.connect(this.balancer.port)
  }

  /** Another client asks for something of its own on the same pool, and gets that. */
  async bystander(): Promise<void> {
    const own = `/bystander/${++this.#bystanders.count}`
    const client = await this.connect()
    const response = await client.exchange(`GET ${own} HTTP/1.1\r\nHost: b\r\n\r\n`)
    expect([response.status, response.body.toString(), seenIn(response).target]).toEqual([
      200,
      own,
      own,
    ])
    await client.close()
  }

  /** The request is refused, whole and cut: one answer, the connection closed, nothing for a backend. */
  async refuses(request: string, refusal: Refusal): Promise<void> {
    await this.bystander()
    const { backend } = this
    const bytesBefore = this.#bytesAtBackend()
    const requestsBefore = backend.requests.length
    const countBefore = this.#rejections(refusal.reason)
    await this.#isRefused(request, WHOLE, refusal)
    expect(this.#bytesAtBackend()).toBe(bytesBefore)
    const cuts = refusal.cuts ?? cutsOf(request)
    await crowd(cuts, (cut) => this.#isRefused(request, cut, refusal))
    expect(this.#rejections(refusal.reason)).toBe(countBefore + 1 + cuts.length)
    if (refusal.inBody !== true) expect(this.#bytesAtBackend()).toBe(bytesBefore)
    expect(backend.requests.length).toBe(requestsBefore)
    await this.settled()
    await this.bystander()
  }

  async #isRefused(request: string, cut: number, { status, reason }: Refusal): Promise<void> {
    const client = await this.connect()
    void sendCut(client, request, cut)
    const response = await client.receiveResponse().catch((error: unknown) => {
      throw new Error(`${JSON.stringify(request.slice(0, 200))} cut at ${cut}: ${error}`)
    })
    const rest = await client.receiveRest()
    const got = { request, cut, status: response.status, says: response.field("connection") }
    expect({ ...got, rest: rest.length }).toEqual({ request, cut, status, says: "close", rest: 0 })
    expect(response.body.toString()).toStartWith(`${status} `)
    expect(reason).not.toBe("")
    await client.close()
  }

  #rejections(reason: string): number {
    return this.balancer.figure("bunlb_rejected_requests_total", `reason="${reason}"`)
  }

  #bytesAtBackend(): number {
    return this.backend.connections.reduce((sum, { bytesReceived }) => sum + bytesReceived, 0)
  }

  /** What is open at the backend is what the pool holds; nothing is under way. */
  async settled(): Promise<void> {
    const { backend, balancer } = this
    const idle = (): number => balancer.figure("bunlb_backend_connections", 'state="idle"')
    const open = (): number => backend.connections.filter(({ ending }) => ending === null).length
    // Mostly it is a matter of turns, and a poll of the clock would take longer.
    for (let i = 0; i < 20 && open() !== idle(); i++) await turn()
    await until(() => open() === idle(), PATIENCE_MS, "only pooled connections to be open")
    expect(balancer.figure("bunlb_backend_connections", 'state="active"')).toBe(0)
  }

  /**
   * The request (or several in one piece) is answered, whole and cut, with backends of both framings. `check` gets
   * what the backend saw of each. `methods` are those of the requests, when not one GET.
   */
  async serves(
    request: string,
    check: (...seen: Seen[]) => void,
    methods: readonly string[] = ["GET"],
    cuts: readonly number[] = cutsOf(request),
  ): Promise<void> {
    for (const framing of ["length", "chunked"] as const) {
      this.framing = framing
      await crowd([WHOLE, ...cuts], (cut) => this.#isServed(request, cut, check, methods))
      await this.settled()
      await this.bystander()
    }
  }

  async #isServed(
    request: string,
    cut: number,
    check: (...seen: Seen[]) => void,
    methods: readonly string[],
  ): Promise<void> {
    const client = await this.connect()
    void sendCut(client, request, cut)
    const all: Seen[] = []
    for (const method of methods) {
      const head = method === "HEAD"
      const response = await client.receiveResponse({ head }).catch((error: unknown) => {
        throw new Error(`${JSON.stringify(request.slice(0, 200))} cut at ${cut}: ${error}`)
      })
      const seen = response.status === 200 ? seenIn(response) : null
      const got = { request, cut, status: response.status, method: seen?.method }
      expect(got).toEqual({ request, cut, status: 200, method })
      if (seen === null) return
      expect(response.body.toString("latin1")).toBe(head ? "" : seen.target)
      all.push(seen)
    }
    check(...all)
    await client.halfClose()
    expect((await client.receiveRest()).length).toBe(0)
    await client.close()
  }
}

/** Every place in the message, but its beginning, where it can be cut in two. */
export function cutsOf(bytes: string): number[] {
  return Array.from({ length: bytes.length - 1 }, (_, index) => index + 1)
}

/** Every `step`th cut: for messages of which all cuts would take seconds. */
export function someCutsOf(bytes: string, step: number): number[] {
  return cutsOf(bytes).filter((cut) => cut % step === 0 || cut > bytes.length - 6)
}

/** Runs `act` for all `items`, a crowd at a time. */
export async function crowd<T>(
  items: readonly T[],
  act: (item: T) => Promise<void>,
): Promise<void> {
  for (let from = 0; from < items.length; from += TOO_MANY_FROM_CLIENT) {
    await Promise.all(items.slice(from, from + TOO_MANY_FROM_CLIENT).map(act))
  }
}

/** Sends in two writes, the first of which has been read before the second is made. */
export async function sendCut(wire: Wire, bytes: string, cut: number): Promise<void> {
  if (cut !== WHOLE) {
    await wire.send(bytes.slice(0, cut))
    await turn()
    await turn()
  }
  await wire.send(bytes.slice(cut))
}

/** A turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((done) => setImmediate(done))
}

export function seenIn(response: RawResponse): Seen {
  return JSON.parse(response.field("x-seen") ?? "null") as Seen
}

function echo(request: ScriptedRequest, framing: "length" | "chunked"): string {
  const { method, target, head, fields, body, trailers } = request
  const seen: Seen = {
    method,
    target,
    head,
    fields,
    body: body.toString("latin1"),
    framing: request.framing,
    trailers,
  }
  const head200 = `HTTP/1.1 200 OK\r\nX-Seen: ${JSON.stringify(seen)}\r\n`
  if (framing === "length") {
    return `${head200}Content-Length: ${target.length}\r\n\r\n${method === "HEAD" ? "" : target}`
  }
  const coded = `${head200}Transfer-Encoding: chunked\r\n\r\n`
  return method === "HEAD" ? coded : coded + chunked(target, 3)
}

/** The body in chunks of `size` bytes at most. */
export function chunked(body: string, size: number, trailers: string = ""): string {
  const chunks: string[] = []
  for (let from = 0; from < body.length; from += size) {
    const chunk = body.slice(from, from + size)
    chunks.push(`${chunk.length.toString(16)}\r\n${chunk}\r\n`)
  }
  return `${chunks.join("")}0\r\n${trailers}\r\n`
}
