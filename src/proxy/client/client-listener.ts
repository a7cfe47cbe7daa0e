/**
 * What all clients of one listener have in common: its settings, whose forwarded fields are believed, and what their
 * requests gain on the way to a backend. Settings can change while it serves: connections read them from here each
 * time, and keep what was decided when they were accepted.
 */
import type { ListenerSettings, ListenerTimeouts } from "../../config/schema/settings.ts"
import type { FieldPolicy, HeadPlan } from "../../h1/request-writer.ts"
import { ascii } from "../../http/bytes.ts"
import { ClientIdentity } from "../../http/identity.ts"
import { Span } from "../../http/trace-context.ts"
import { TrustedProxies } from "../../net/ip/cidr.ts"
import type { PlanTerms } from "../core/gateway.ts"
import type { Clients } from "./clients.ts"
import type { Pool } from "../backend/pool.ts"

/** Client addresses whose plans are kept: a client that opens a connection for each request is known again. */
const KEPT_PLANS = 1024

export class ClientListener {
  settings: ListenerSettings
  /** The port that is bound, which a client's URL names when it names none; 0 for a unix socket. */
  readonly port: number
  /** It serves the requests of these clients. */
  pool: Pool
  /** A Via line is added to responses. */
  addsResponseVia: boolean
  /** It accepts no more: every response asks its client to come back elsewhere. */
  leaving = false
  /** Open connections. */
  clients = 0
  /** Connections that it has accepted. */
  accepted = 0
  /** The clients of all listeners. */
  readonly allClients: Clients
  #trust: TrustedProxies
  #policy: FieldPolicy
  #terms: PlanTerms
  /** By client address. */
  readonly #plans = new Map<string, HeadPlan>()

  constructor(
    settings: ListenerSettings,
    port: number,
    pool: Pool,
    terms: PlanTerms,
    allClients: Clients,
  ) {
    this.allClients = allClients
    this.settings = settings
    this.port = port
    this.pool = pool
    this.addsResponseVia = addsVia(settings, "response")
    this.#trust = new TrustedProxies(settings.trustedProxies)
    this.#policy = policyOf(settings)
    this.#terms = terms
  }

  get timeouts(): ListenerTimeouts {
    return this.settings.timeouts
  }

  configure(settings: ListenerSettings, pool: Pool, terms: PlanTerms): void {
    this.settings = settings
    this.pool = pool
    this.addsResponseVia = addsVia(settings, "response")
    this.#trust = new TrustedProxies(settings.trustedProxies)
    this.#policy = policyOf(settings)
    this.#terms = terms
    this.#plans.clear()
  }

  /** What the requests of a client at `address` gain on their way. */
  planFor(address: string): HeadPlan {
    let plan = this.#plans.get(address)
    if (plan === undefined) {
      const { ids } = this.#terms
      const chain = this.#trust
      const { forwarded } = this.settings
      const terms = { chain, scheme: "http", forwarded, port: this.port } as const
      const identity = new ClientIdentity(address, chain.trusts(address), terms)
      plan = { identity, policy: this.#policy, ids, span: null }
      if (this.#plans.size === KEPT_PLANS) this.#plans.clear()
      this.#plans.set(address, plan)
    }
    return this.#terms.tracing ? { ...plan, span: new Span() } : plan
  }

  /** `plan` by the settings of now. Whether its client is trusted was decided when the client came. */
  renewed(plan: HeadPlan): HeadPlan {
    const { tracing } = this.#terms
    const span = tracing ? (plan.span ?? new Span()) : null
    return { ...plan, policy: this.#policy, span }
  }
}

function policyOf(settings: ListenerSettings): FieldPolicy {
  const { requestId, forwardedKeep } = settings
  return { requestId, via: addsVia(settings, "request"), kept: forwardedKeep.map(ascii) }
}

function addsVia({ via }: ListenerSettings, messages: "request" | "response"): boolean {
  return via === messages || via === "both"
}
