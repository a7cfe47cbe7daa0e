/** Takes bunlb's own cookie out of the Cookie fields: it is not the backend's business. */
import { copyWithoutCookie } from "../../balance/sticky-cookie.ts"
import { ascii, putBytes } from "../../http/bytes.ts"
import type { RequestMessage } from "../../http/request-message.ts"
import type { CookieFilter } from "../../h1/request-writer.ts"

const COOKIE_NAME = ascii("Cookie: ")
const LINE_END = ascii("\r\n")

export class StickyCookieFilter implements CookieFilter {
  readonly #name: Uint8Array

  constructor(name: Uint8Array) {
    this.#name = name
  }

  put(from: Buffer, head: RequestMessage, position: number, out: Buffer, at: number): number {
    const { valueStarts, valueEnds } = head.fields
    const value = putBytes(COOKIE_NAME, out, at)
    const start = valueStarts[position] ?? 0
    const stop = valueEnds[position] ?? start
    const end = copyWithoutCookie(from, start, stop, this.#name, out, value)
    return end === value ? at : putBytes(LINE_END, out, end)
  }
}
