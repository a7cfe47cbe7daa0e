/** The soak's clients: each goes from one exchange to the next, on a kept connection where it may. */
import { MalformedMessage } from "../../test/support/messages.ts"
import { RawClient } from "../../test/support/raw-client.ts"
import { type Rng, rng } from "../../test/support/until.ts"
import { WireEnded } from "../../test/support/wire.ts"
import { Job, type Kind, kinds, Unexpected } from "./kinds.ts"
import type { Tally } from "./tally.ts"

/** A connection is left after so many exchanges, as people do. */
const EXCHANGES = 50

export class Traffic {
  readonly #port: number
  readonly #tally: Tally
  readonly #pauseMs: number
  readonly #ends: Promise<void>[]
  #ids = 0
  #stopped = false

  /** `perSecond` is what is aimed at; slow exchanges make it less. */
  constructor(port: number, seed: number, clients: number, perSecond: number, tally: Tally) {
    this.#port = port
    this.#tally = tally
    this.#pauseMs = (clients * 1000) / perSecond
    const seeds = Array.from({ length: clients }, (_, index) => seed * 1000 + index)
    this.#ends = seeds.map((each) => this.#run(rng(each)))
  }

  /** Resolves when every client has ended its last exchange and left. */
  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#ends)
  }

  async #run(random: Rng): Promise<void> {
    let client: RawClient | null = null
    let left = 0
    while (!this.#stopped) {
      const kind = chosen(random)
      const from = performance.now()
      let stays = false
      try {
        if (client === null || left === 0) {
          void client?.close()
          client = await RawClient.connect(this.#port)
          left = random.between(1, EXCHANGES)
        }
        left--
        stays = await kind.run(new Job(client, random, () => ++this.#ids))
        if (kind.timed) this.#tally.timed(performance.now() - from)
      } catch (error) {
        const to = performance.now()
        this.#tally.failures.push({ kind: kind.name, what: whatOf(error), from, to })
      }
      this.#tally.done(kind.name)
      if (!stays) {
        client?.reset()
        client = null
      }
      await Bun.sleep(this.#pauseMs * (0.5 + random.next()))
    }
    void client?.close()
  }
}

const shares = kinds.reduce((sum, { share }) => sum + share, 0)

function chosen(random: Rng): Kind {
  let at = random.next() * shares
  return kinds.find(({ share }) => (at -= share) < 0) ?? kinds[0]
}

function whatOf(error: unknown): string {
  if (error instanceof WireEnded) return error.by
  if (error instanceof Unexpected) return error.message
  if (error instanceof MalformedMessage) return `malformed: ${error.message}`
  const text = error instanceof Error ? error.message : String(error)
  return text.startsWith("waited ") ? "late" : `refused: ${text}`
}
