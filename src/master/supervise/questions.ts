/**
 * What the master has asked one worker and waits for: every question ends, with an answer or with the reason for none.
 */
export class Questions {
  #last = 0
  readonly #waiting = new Map<number, (fault: string | null) => void>()

  /** The fault in the answer, or null when there is none; late is no answer. `send` is given the question's number. */
  async ask(send: (question: number) => void, limitMs: number): Promise<string | null> {
    const question = ++this.#last
    const { promise, resolve } = Promise.withResolvers<string | null>()
    this.#waiting.set(question, resolve)
    const late = setTimeout(() => resolve(`no answer within ${limitMs / 1000} s`), limitMs)
    send(question)
    const fault = await promise
    clearTimeout(late)
    this.#waiting.delete(question)
    return fault
  }

  answer(question: number, fault: string | null): void {
    this.#waiting.get(question)?.(fault)
  }

  /** The worker is gone: nobody waits any more. */
  end(): void {
    for (const answered of this.#waiting.values()) answered(null)
  }
}
