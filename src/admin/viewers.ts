/**
 * Everybody who watches the fleet move: one picture a second, made once for all of them, and made for nobody when
 * nobody looks. A viewer that does not read gets no more until it does, and then begins anew; so what one viewer
 * can hold is one picture and the past.
 *
 *     event: past   what was, when a viewer comes or has missed something
 *     event: live   what is, each second, with what happened since the one before
 */
import type { JournalEntry } from "../master/figures/journal.ts"
import type { Live, Past } from "../master/figures/live.ts"
import { jsonPieces } from "./json-pieces.ts"

export interface ViewerSource {
  live(): Promise<Live>
  past(): Past
}

interface Viewer {
  readonly controller: ReadableStreamDefaultController<Uint8Array>
  /** Pictures in a row that it had no room for. */
  missed: number
  /** It has had its first picture. */
  greeted: boolean
}

const MOST_VIEWERS = 16
const PERIOD_MS = 1_000
/** Who has not read for so many pictures is shown out. */
const PATIENCE = 30

export class Viewers {
  readonly #source: ViewerSource
  readonly #periodMs: number
  readonly #viewers = new Set<Viewer>()
  #timer: Timer | null = null
  /** The last entry of the journal that has been sent. */
  #told = 0
  /** A picture is being made; the next one waits for its turn. */
  #showing = false

  constructor(source: ViewerSource, periodMs: number = PERIOD_MS) {
    this.#source = source
    this.#periodMs = periodMs
  }

  get count(): number {
    return this.#viewers.size
  }

  /** The body of one viewer's answer; null when all places are taken. */
  open(): ReadableStream<Uint8Array> | null {
    if (this.#viewers.size >= MOST_VIEWERS) return null
    let viewer: Viewer | null = null
    return new ReadableStream<Uint8Array>({
      start: async (controller) => {
        viewer = { controller, missed: 0, greeted: false }
        this.#viewers.add(viewer)
        this.#timer ??= setInterval(() => void this.#show(), this.#periodMs)
        try {
          const greeting = await this.#greeting()
          if (!this.#viewers.has(viewer)) return
          viewer.greeted = true
          controller.enqueue(greeting)
        } catch (error) {
          this.#forget(viewer)
          throw error
        }
      },
      cancel: () => {
        if (viewer !== null) this.#forget(viewer)
      },
    })
  }

  stop(): void {
    for (const viewer of [...this.#viewers]) this.#showOut(viewer)
  }

  /** Both, for one who has seen nothing yet. What it is told twice of the journal it knows by its number. */
  async #greeting(): Promise<Uint8Array> {
    const past = await event("past", this.#source.past())
    const live = await event("live", { ...(await this.#source.live()), journal: [] })
    return joined([...past, ...live])
  }

  async #show(): Promise<void> {
    if (this.#showing) return
    this.#showing = true
    try {
      const picture = await this.#source.live()
      const live = joined(await event("live", { ...picture, journal: this.#news() }))
      await this.#send(live)
    } finally {
      this.#showing = false
    }
  }

  async #send(live: Uint8Array): Promise<void> {
    let greeting: Uint8Array | null = null
    for (const viewer of [...this.#viewers]) {
      if (!viewer.greeted) continue
      if ((viewer.controller.desiredSize ?? 0) <= 0) {
        if (++viewer.missed > PATIENCE) this.#showOut(viewer)
        continue
      }
      if (viewer.missed > 0) greeting ??= await this.#greeting()
      // It may have left while its greeting was made.
      if (!this.#viewers.has(viewer)) continue
      viewer.controller.enqueue(viewer.missed > 0 && greeting !== null ? greeting : live)
      viewer.missed = 0
    }
  }

  #news(): JournalEntry[] {
    const news = this.#source.past().journal.filter(({ id }) => id > this.#told)
    this.#told = news.at(-1)?.id ?? this.#told
    return news
  }

  #showOut(viewer: Viewer): void {
    this.#forget(viewer)
    // An error, not an end: an end would wait for the one who does not read.
    viewer.controller.error(new Error("this viewer does not read"))
  }

  #forget(viewer: Viewer): void {
    this.#viewers.delete(viewer)
    if (this.#viewers.size > 0 || this.#timer === null) return
    clearInterval(this.#timer)
    this.#timer = null
  }
}

const encoder = new TextEncoder()

/** JSON has no line ends, so one event is one line of data. */
async function event(name: string, data: object): Promise<Uint8Array[]> {
  const begin = encoder.encode(`event: ${name}\ndata: `)
  return [begin, ...(await jsonPieces(data)), encoder.encode("\n\n")]
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const piece of pieces) {
    bytes.set(piece, at)
    at += piece.length
  }
  return bytes
}
