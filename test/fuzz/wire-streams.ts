/**
 * Fuzzer (b) through real sockets: the same stream sent to a balancer in one write and in many, with turns of the
 * loop between them, must leave the same bytes with the client and the same requests with the backend.
 */
import { TestBalancer } from "../support/balancer.ts"
import { RawClient } from "../support/raw-client.ts"
import { answer, ScriptedBackend } from "../support/scripted-backend.ts"
import type { Rng } from "../support/until.ts"
import { limits } from "./ours.ts"
import { readChunked } from "./reference-body.ts"
import { readRequest } from "./reference-request.ts"
import { makeStream, pieces } from "./streams.ts"

interface Outcome {
  /** What the client got, and how its connection ended. */
  readonly received: string
  readonly requests: readonly string[]
}

const generous = { headBytes: 65_536, requestLineBytes: 65_536, fields: 200 }

/** One balancer and its backend, used by one stream at a time. */
export class Lane {
  private constructor(
    readonly balancer: TestBalancer,
    readonly backend: ScriptedBackend,
    readonly requests: readonly string[],
  ) {}

  static async open(): Promise<Lane> {
    const requests: string[] = []
    const backend = await ScriptedBackend.start(async (connection) => {
      for (;;) {
        const bytes = await connection.receiveUntil(lengthOfRequest)
        const text = bytes.toString("latin1").replace(/^X-Request-Id: .*$/m, "")
        requests.push(text)
        const [, method = "", target = ""] = /^(\S+) (\S+)/.exec(text) ?? []
        await connection.send(answer(200, method === "HEAD" ? "" : target))
      }
    })
    const part = {
      halfClose: true,
      limits: { ...limits },
      timeouts: { clientHead: 2000, clientBody: 2000 },
    }
    return new Lane(await TestBalancer.start([backend.port], part), backend, requests)
  }

  close(): void {
    this.balancer.stop()
    this.backend.stop()
  }

  async outcomeOf(parts: readonly string[]): Promise<Outcome> {
    const before = this.requests.length
    const client = await RawClient.connect(this.balancer.port)
    for (const part of parts) {
      if (!(await client.send(part))) break
      if (parts.length > 1) await turn()
    }
    await client.halfClose()
    const { by } = await client.closed()
    await client.close()
    return {
      received: `${client.received.toString("latin1")}${by}`,
      requests: this.requests.slice(before),
    }
  }
}

/**
 * As `Wire.receiveUntil` wants it, by the reference: -1 while the request is not whole. What is no request is taken
 * as it is, and then found to be in no stream.
 */
function lengthOfRequest(waiting: Buffer): number {
  // A request may pass here in a ring of eight and be one too many for the ninth.
  const text = waiting.toString("latin1").replace(/bunlb/gi, "other")
  const head = readRequest(text, generous)
  if (head.verdict !== "accepted") return head.verdict === "refused" ? waiting.length : -1
  const { chunked, length } = head.facts
  if (!chunked)
    return head.length + (length ?? 0) > waiting.length ? -1 : head.length + (length ?? 0)
  const body = readChunked(text.slice(head.length))
  if (body.verdict !== "accepted") return body.verdict === "refused" ? waiting.length : -1
  return head.length + body.length
}

export interface WireStreamCase {
  readonly parts: readonly string[]
}

export function makeWireStream(chance: Rng): WireStreamCase {
  let stream = makeStream(chance)
  while (stream.kind !== "requests") stream = makeStream(chance)
  const parts = pieces(stream.text, chance)
  const most = chance.between(2, 40)
  const joined = [...parts.slice(0, most), parts.slice(most).join("")].filter((part) => part !== "")
  return { parts: joined }
}

/** How the outcomes differ, or null. */
export async function wireDivergence(
  { parts }: WireStreamCase,
  lane: Lane,
): Promise<string | null> {
  const whole = await lane.outcomeOf([parts.join("")])
  const cut = await lane.outcomeOf(parts)
  if (Bun.deepEquals(whole, cut) || areTooLong(whole, cut)) return null
  // What came in pieces is judged when its line has ended: a client that leaves before is told nothing.
  const late = cut.received.endsWith("end") && whole.received.startsWith(cut.received.slice(0, -3))
  if (late && !parts.at(-1)?.endsWith("\n"))
    return wireDivergence({ parts: [...parts, "\n"] }, lane)
  return `whole: ${JSON.stringify(whole)}\ncut into ${JSON.stringify(parts)}: ${JSON.stringify(cut)}`
}

/** Of a head that is too long and has other faults, what is found first depends on how much of it has come. */
function areTooLong(whole: Outcome, cut: Outcome): boolean {
  const [a = "", b = ""] = [whole, cut].map(({ received }) =>
    received.replace(/HTTP\/1\.1 (4..|5..) [^\r]+\r\nContent-Type: text\/plain[^]*$/, "refused"),
  )
  const tooLong = /HTTP\/1\.1 4(14|31) /.test(whole.received + cut.received)
  return tooLong && a.endsWith("refused") && a === b && Bun.deepEquals(whole.requests, cut.requests)
}

/** Two turns of the loop: the balancer has read before the next piece is written. */
async function turn(): Promise<void> {
  await new Promise((done) => setImmediate(done))
  await new Promise((done) => setImmediate(done))
}
