/** Reads server-sent events one after the other. */
export class EventReader {
  readonly #chunks: AsyncIterator<Uint8Array>
  readonly #decoder = new TextDecoder()
  #text = ""

  constructor(source: { readonly body: ReadableStream<Uint8Array> | null }) {
    if (source.body === null) throw new Error("no body, no events")
    this.#chunks = source.body[Symbol.asyncIterator]()
  }

  /** The next event's name and data; null at the end. */
  async next(): Promise<[string, unknown] | null> {
    for (;;) {
      const end = this.#text.indexOf("\n\n")
      if (end !== -1) {
        const [, name = "", data = "null"] =
          /^event: (.*)\ndata: (.*)$/.exec(this.#text.slice(0, end)) ?? []
        this.#text = this.#text.slice(end + 2)
        return [name, JSON.parse(data)]
      }
      const { value, done } = await this.#chunks.next()
      if (done === true) return null
      this.#text += this.#decoder.decode(value, { stream: true })
    }
  }

  async leave(): Promise<void> {
    await this.#chunks.return?.()
  }
}
