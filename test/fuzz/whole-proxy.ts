/**
 * Fuzzer (c): clients and backends by chance with a whole balancer between them. Whatever they do to each other:
 *
 * - a client gets the answer to its own request or bunlb's own, in order and whole, or sees that it is cut short;
 * - a backend gets what a client sent, and what must not be sent twice at most once;
 * - no request comes on a connection on which an answer has gone wrong;
 * - bunlb's figures are what both sides have counted, and all gauges return to zero.
 */
import { comesToRest } from "../faults/quiet.ts"
import { TestBalancer } from "../support/balancer.ts"
import { RawClient, type RawResponse } from "../support/raw-client.ts"
import { ScriptedBackend, type BackendConnection } from "../support/scripted-backend.ts"
import { WireEnded, type Wire } from "../support/wire.ts"
import {
  answerText,
  bodyOf,
  hasNoBody,
  requestText,
  type ClientPlan,
  type RequestPlan,
  type Round,
} from "./traffic.ts"

const REST_MS = 3000
const RETRIES = 2
const evil = "HTTP/1.1 200 OK\r\nX-Id: evil\r\nContent-Length: 4\r\n\r\nevil"

/** What is wrong with a round. */
class Violation extends Error {
  override readonly name = "Violation"
}

export class Theatre {
  readonly #backends: ScriptedBackend[] = []
  #plans = new Map<string, RequestPlan>()
  /** Heads that came to a backend, by id. */
  #heads = new Map<string, number>()
  readonly #violations: string[] = []
  /** Answers of a backend that clients got, whole or in part. */
  #answers = 0

  private constructor(readonly balancer: TestBalancer) {}

  static async open(): Promise<Theatre> {
    const box: { theatre: Theatre | null } = { theatre: null }
    const handler = async (connection: BackendConnection): Promise<void> => {
      await box.theatre?.serve(connection)
    }
    const backends = [await ScriptedBackend.start(handler), await ScriptedBackend.start(handler)]
    const balancer = await TestBalancer.start(
      backends.map(({ port }) => port),
      {
        timeouts: { responseHead: 1000, clientBody: 4000, clientHead: 4000, backendBody: 4000 },
        halfClose: true,
        retries: { max: RETRIES, budgetFloor: 1e9 },
        health: { failures: 1e9 },
      },
    )
    box.theatre = new Theatre(balancer)
    box.theatre.#backends.push(...backends)
    return box.theatre
  }

  close(): void {
    this.balancer.stop()
    for (const backend of this.#backends) {
      backend.failures.length = 0
      backend.stop()
    }
  }

  /** Plays the round and returns what was wrong with it, or null. */
  async play(round: Round): Promise<string | null> {
    const { balancer } = this
    const figures = (): number[] => [
      balancer.figure("bunlb_pool_reuses_total") + balancer.figure("bunlb_dials_total", '"ok"'),
      balancer.figure("bunlb_requests_total", 'backend="127'),
    ]
    const requests = round.clients.flatMap((client) => client.requests)
    this.#plans = new Map(requests.map((plan) => [plan.id, plan]))
    this.#heads = new Map()
    this.#violations.length = 0
    this.#answers = 0
    const [sentBefore = 0, answeredBefore = 0] = figures()
    try {
      await Promise.all(round.clients.map((client) => this.#perform(client)))
      await comesToRest(balancer, REST_MS)
      await this.#poolMatches()
    } catch (error) {
      this.#violations.push(String(error))
    }
    const [sent = 0, answered = 0] = figures()
    this.#judgeFigures(round, sent - sentBefore, answered - answeredBefore)
    for (const { failures } of this.#backends) {
      this.#violations.push(...failures.splice(0).map((failure) => `at a backend: ${failure}`))
    }
    this.#violations.push(...balancer.lines.filter((line) => line.includes("internal error")))
    return this.#violations.length === 0 ? null : this.#violations.join("\n")
  }

  #judgeFigures(round: Round, sent: number, answered: number): void {
    let heads = 0
    for (const [id, count] of this.#heads) {
      heads += count
      const idempotent = this.#plans.get(id)?.method !== "POST"
      this.#check(count <= (idempotent ? 1 + RETRIES : 1), `${id} came ${count} times`)
    }
    const requests = round.clients.flatMap((client) => client.requests)
    const peaceful = round.clients.every(({ fault }) => fault === "none")
    const calm = peaceful && requests.every(({ answer }) => answer.fault === "none")
    const counts = `${sent} sent, ${heads} came, ${answered} answered, ${this.#answers} seen`
    this.#check(heads <= sent && answered <= heads, counts)
    if (peaceful) this.#check(this.#answers === answered, counts)
    if (calm) this.#check(heads === sent && answered === heads, counts)
  }

  #check(holds: boolean, what: string): void {
    if (!holds) this.#violations.push(what)
  }

  /** What is open at the backends is what the pool holds. */
  async #poolMatches(): Promise<void> {
    const idle = (): number => this.balancer.figure("bunlb_backend_connections", 'state="idle"')
    const open = (): number =>
      this.#backends.flatMap(({ connections }) =>
        connections.filter((each) => each.ending === null),
      ).length
    for (let i = 0; i < 200 && open() !== idle(); i++) await Bun.sleep(2)
    if (open() !== idle()) throw new Violation(`${open()} open at backends, ${idle()} in pools`)
  }

  async #perform(plan: ClientPlan): Promise<void> {
    const client = await RawClient.connect(this.balancer.port)
    try {
      if (plan.pipelined) {
        const sending = this.#sendAll(client, plan)
        await this.#receiveAll(client, plan)
        await sending
      } else {
        await this.#converse(client, plan)
      }
    } catch (error) {
      if (!(error instanceof WireEnded)) {
        this.#violations.push(`a client of ${plan.requests.map(({ id }) => id)}: ${error}`)
      }
    } finally {
      await client.close()
    }
  }

  async #sendAll(client: RawClient, plan: ClientPlan): Promise<void> {
    for (const request of plan.requests) await sendRequest(client, plan, request)
    if (plan.fault === "sends garbage") await client.send("\x00garbage\r\n")
    if (plan.fault === "resets after") client.reset()
  }

  async #receiveAll(client: RawClient, plan: ClientPlan): Promise<void> {
    for (const request of plan.requests) {
      if (!(await this.#receive(client, plan, request))) return
    }
    await this.#receiveEnd(client, plan)
  }

  async #converse(client: RawClient, plan: ClientPlan): Promise<void> {
    for (const request of plan.requests) {
      // An answer may come before the request has been sent.
      const sending = sendRequest(client, plan, request)
      if (plan.fault === "resets after" && request === plan.requests.at(-1)) {
        await sending
        client.reset()
      }
      if (!(await this.#receive(client, plan, request))) return
      await sending
    }
    if (plan.fault === "sends garbage") await client.send("\x00garbage\r\n")
    await this.#receiveEnd(client, plan)
  }

  async #receiveEnd(client: RawClient, plan: ClientPlan): Promise<void> {
    if (plan.fault !== "sends garbage") return
    const { status } = await client.receiveResponse()
    this.#check(status === 400, `garbage got ${status}`)
  }

  /** The answer to one request. Returns whether another may follow. */
  async #receive(client: RawClient, plan: ClientPlan, request: RequestPlan): Promise<boolean> {
    const { id, method, minor, connection } = request
    const response = await client
      .receiveResponse({ head: method === "HEAD" })
      .catch((error: unknown) => this.#judgeNoAnswer(client, plan, request, error))
    if (response === null) return false
    const from = response.field("x-id")
    if (from === null) this.#judgeOwnAnswer(plan, request, response)
    else this.#judgeAnswer(client, request, response, from)
    const wanted = minor === 1 ? connection !== "close" : connection === "keep-alive"
    const says = response.field("connection")
    this.#check(wanted || says === "close", `${id} was not told that it is the last`)
    return says !== "close"
  }

  #judgeAnswer(client: Wire, request: RequestPlan, response: RawResponse, from: string): void {
    const { id, method, minor, answer } = request
    this.#answers++
    const { status, bytes, interims, fault } = answer
    this.#check(from === id, `${id} got the answer to ${from}`)
    this.#check(response.status === status, `${id} got ${response.status} instead of ${status}`)
    const body = hasNoBody(status, method) ? "" : bodyOf(`answer to ${id}`, bytes)
    const got = response.body.toString("latin1")
    // The end of the connection is the end of such a body, whoever meant it; HTTP/1.0 gets chunks so too.
    const delimited = answer.framing === "close"
    const unframed = delimited || (answer.framing === "chunked" && minor === 0)
    const open = (fault === "ends within" && delimited) || (sendFailed.has(client) && unframed)
    this.#check(open ? body.startsWith(got) : got === body, `${id} got another body`)
    const relayed = minor === 1 ? interims : 0
    this.#check(
      response.interim.length === relayed,
      `${id} got ${response.interim.length} interims`,
    )
    const bad = ["ends before", "resets before", "no http", "two lengths", "says nothing"]
    this.#check(!bad.includes(fault), `${id} got an answer from a backend that ${fault}`)
  }

  /** An answer of bunlb's own needs a cause. */
  #judgeOwnAnswer(plan: ClientPlan, request: RequestPlan, { status }: RawResponse): void {
    const { id, method, answer } = request
    const { fault } = answer
    const cut = plan.fault === "ends within" && request === plan.requests.at(-1)
    const silent = fault === "says nothing"
    const broken = ["ends before", "resets before", "no http", "two lengths"].includes(fault)
    // A connection that ends as a request goes out is nobody's fault; some cannot be sent again.
    const stale = method === "POST" || answer.bytes > 60_000 || request.bytes > 60_000
    const ends = [...this.#plans.values()].some(endsUntold)
    const explained =
      (status === 502 && (broken || (stale && ends))) || (status === 504 && silent) || cut
    this.#check(explained, `${id} got ${status} of bunlb's own`)
  }

  /** No whole answer came, and the connection has ended: somebody must have broken something. */
  #judgeNoAnswer(client: Wire, plan: ClientPlan, request: RequestPlan, error: unknown): null {
    if (!(error instanceof WireEnded)) throw error
    const { id, answer } = request
    const seen = client.received.lastIndexOf(`X-Id: ${id}\r\n`) >= 0
    if (seen) this.#answers++
    const last = request === plan.requests.at(-1)
    const resets = plan.fault === "resets within" || plan.fault === "resets after"
    const own = (last && plan.fault === "ends within") || (resets && (last || plan.pipelined))
    const within = answer.fault === "ends within" || answer.fault === "resets within"
    this.#check(within || own, `${id} got no answer: ${error.message.slice(0, 200)}`)
    return null
  }

  /** A backend's side of a connection. */
  async serve(connection: BackendConnection): Promise<void> {
    for (;;) {
      const head = await connection.receiveRequestHead()
      const id = head.target.slice(1)
      const plan = this.#plans.get(id)
      if (plan === undefined) throw new Violation(`nobody has sent ${head.target}`)
      this.#heads.set(id, (this.#heads.get(id) ?? 0) + 1)
      this.#check(head.field("x-forwarded-for") === "127.0.0.1", `${id} came without its origin`)
      const early = plan.answer.fault === "early"
      if (early) await sendAnswer(connection, plan)
      await this.#receiveBody(connection, plan)
      if (!(await act(connection, plan))) return
    }
  }

  async #receiveBody(connection: BackendConnection, plan: RequestPlan): Promise<void> {
    const { id, framing, bytes } = plan
    if (framing === "none") return
    const expected = bodyOf(id, bytes)
    if (framing === "length") {
      const body = await connection.receiveBytes(bytes, Infinity)
      this.#check(body.toString("latin1") === expected, `${id} came with another body`)
      return
    }
    let body = ""
    for (;;) {
      const line = (await connection.receiveUntil("\r\n", Infinity)).toString("latin1")
      const size = Number.parseInt(line, 16)
      this.#check(/^[0-9a-f]+\r\n$/.test(line), `${id} came with a chunk size ${line}`)
      if (size === 0) break
      const chunk = await connection.receiveBytes(size + 2, Infinity)
      body += chunk.toString("latin1", 0, size)
    }
    const trailer = (await connection.receiveUntil("\r\n\r\n", Infinity)).toString("latin1")
    this.#check(trailer === `X-Trailer: ${id}\r\n\r\n`, `${id} came with another trailer`)
    this.#check(body === expected, `${id} came with another body`)
  }
}

/** The connection ends behind a whole answer that has not said so: what comes next finds it dead. */
function endsUntold({ method, answer }: RequestPlan): boolean {
  const { fault, status } = answer
  const within = fault === "ends within" || fault === "resets within"
  return fault === "ends after" || (within && hasNoBody(status, method))
}

/** Does what the plan says. Returns whether the connection goes on. */
async function act(connection: BackendConnection, plan: RequestPlan): Promise<boolean> {
  const { fault, close, framing, status } = plan.answer
  switch (fault) {
    case "says nothing":
      await connection.closed(Infinity)
      return false
    case "ends before":
      await connection.close()
      return false
    case "resets before":
      connection.reset()
      return false
    case "no http":
      await connection.send("220 mail.example ESMTP\r\n")
      break
    case "early":
      break
    default:
      await sendAnswer(connection, plan)
  }
  if (fault === "resets within") {
    connection.reset()
    return false
  }
  const delimited = framing === "close" && !hasNoBody(status, plan.method)
  if (fault === "surplus" && !delimited) return refuseMore(connection)
  if (close || delimited || fault === "ends within" || fault === "ends after") {
    await connection.close()
    return false
  }
  return true
}

/** The answer was followed by another that nobody has asked for: nothing may be asked here any more. */
async function refuseMore(connection: BackendConnection): Promise<boolean> {
  await connection.closed(Infinity)
  const left = connection.incoming.length
  if (left > 0) throw new Violation(`${left} bytes came after a surplus answer`)
  return false
}

async function sendAnswer(connection: Wire, plan: RequestPlan): Promise<void> {
  const { head, body } = answerText(plan)
  const { fault, piece, framing, status } = plan.answer
  const within = fault === "ends within" || fault === "resets within"
  const delimited = framing === "close" && !hasNoBody(status, plan.method)
  const text = head + (within ? body.slice(0, body.length >> 1) : body)
  await sendPieces(connection, fault === "surplus" && !delimited ? text + evil : text, piece)
}

async function sendRequest(
  client: RawClient,
  plan: ClientPlan,
  request: RequestPlan,
): Promise<void> {
  const text = requestText(request)
  const last = request === plan.requests.at(-1)
  const within = last && (plan.fault === "resets within" || plan.fault === "ends within")
  await sendPieces(client, within ? text.slice(0, text.length >> 1) : text, request.piece)
  if (!within) return
  if (plan.fault === "resets within") client.reset()
  else await client.halfClose()
}

/** In pieces of this size, at most 40 of them, with a turn of the loop between. */
async function sendPieces(wire: Wire, text: string, piece: number): Promise<void> {
  let at = 0
  for (let count = 0; piece > 0 && count < 40 && at + piece < text.length; count++) {
    if (!(await sendWhole(wire, text.slice(at, at + piece)))) return
    at += piece
    await new Promise((done) => setImmediate(done))
  }
  await sendWhole(wire, text.slice(at))
}

/** Connections on which a write has failed: it uses up the news of a reset, and then an end is all that is seen. */
const sendFailed = new WeakSet<Wire>()

async function sendWhole(wire: Wire, text: string): Promise<boolean> {
  const sent = await wire.send(text)
  if (!sent) sendFailed.add(wire)
  return sent
}
