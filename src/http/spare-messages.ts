/**
 * Messages that wait for their next use, so that a request makes none, and an idle connection holds none. Who takes a
 * message gives it back, once.
 */
import { RequestMessage } from "./request-message.ts"
import { ResponseMessage } from "./response-message.ts"

/** Kept of each kind, at most: some 600 KiB. More are made while more requests are under way, and dropped again. */
const SPARE = 256

export class SpareMessages {
  /** Fields that a request may have, by the most generous of the limits. */
  #requestFields: number
  #responseFields: number
  #requests: RequestMessage[] = []
  #responses: ResponseMessage[] = []
  /** Messages that have been taken and not yet given back. */
  taken = 0

  constructor(requestFields: number, responseFields: number) {
    this.#requestFields = requestFields
    this.#responseFields = responseFields
  }

  /** Other limits from now on. Messages that are in use are dropped when they are given back. */
  configure(requestFields: number, responseFields: number): void {
    if (requestFields !== this.#requestFields) this.#requests = []
    if (responseFields !== this.#responseFields) this.#responses = []
    this.#requestFields = requestFields
    this.#responseFields = responseFields
  }

  /** A message for a request with at most `fields` fields. */
  takeRequest(fields: number): RequestMessage {
    this.taken++
    const message = this.#requests.pop() ?? new RequestMessage({ fields: this.#requestFields })
    message.fields.limit = Math.min(fields, message.fields.capacity)
    return message
  }

  takeResponse(): ResponseMessage {
    this.taken++
    return this.#responses.pop() ?? new ResponseMessage(this.#responseFields)
  }

  giveRequest(message: RequestMessage): void {
    this.taken--
    message.clear()
    const fits = message.fields.capacity === this.#requestFields
    if (fits && this.#requests.length < SPARE) this.#requests.push(message)
  }

  giveResponse(message: ResponseMessage): void {
    this.taken--
    message.clear()
    const fits = message.fields.capacity === this.#responseFields
    if (fits && this.#responses.length < SPARE) this.#responses.push(message)
  }
}
