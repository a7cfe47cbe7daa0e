/** Connections that are reset as soon as they stand, at a steady rate; every third says a word before it leaves. */
const TICK_MS = 5

export class Flood {
  made = 0
  readonly #port: number
  readonly #perMs: number
  readonly #began = performance.now()
  readonly #timer: Timer
  #pending = 0

  constructor(port: number, perSecond: number) {
    this.#port = port
    this.#perMs = perSecond / 1000
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #tick(): void {
    const due = (performance.now() - this.#began) * this.#perMs
    while (this.made + this.#pending < due) void this.#one()
  }

  async #one(): Promise<void> {
    this.#pending++
    try {
      const socket = { data() {}, error() {} }
      const client = await Bun.connect({ hostname: "127.0.0.1", port: this.#port, socket })
      if (this.made % 3 === 0) client.write("GET / HT")
      client.terminate()
      this.made++
    } catch {
      // Not made: the rate will tell.
    }
    this.#pending--
  }
}
