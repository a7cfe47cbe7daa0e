/** Where a body ends, by each kind of framing. */
import { expect, test } from "bun:test"
import { Body } from "../../src/h1/body.ts"
import { BY_CHUNKS, BY_CLOSE, BY_LENGTH, NO_BODY } from "../../src/http/framing.ts"
import { CHUNK } from "../../src/http/refusal.ts"

const text = "4\r\nbody\r\n0\r\n\r\nrest"

/** Feeds the text cut at `cut`: what went on, what was used, and whether the body is done. */
function fed(framing: number, length: number, framed: boolean, cut: number) {
  const body = new Body()
  body.start(framing, length, framed)
  let out = ""
  let used = 0
  for (const piece of [text.slice(0, cut), text.slice(cut)]) {
    if (body.done) break
    const bytes = Buffer.from(`<${piece}>`)
    used += body.feed(bytes, 1, bytes.length - 1) - 1
    out += bytes.toString("latin1", 1, body.outEnd) + body.tail.toString("latin1")
  }
  return { out, used, done: body.done, endsByClose: body.endsByClose }
}

const kinds: readonly [
  what: string,
  framing: number,
  length: number,
  framed: boolean,
  out: string,
  done: boolean,
][] = [
  ["none", NO_BODY, -1, true, "", true],
  ["a length of 0", BY_LENGTH, 0, true, "", true],
  ["a length", BY_LENGTH, 7, true, text.slice(0, 7), true],
  ["the exact length", BY_LENGTH, text.length, true, text, true],
  ["a length not reached", BY_LENGTH, 100, true, text, false],
  ["chunks", BY_CHUNKS, -1, true, text.slice(0, -4), true],
  ["chunks without framing", BY_CHUNKS, -1, false, "body", true],
  ["the end of the connection", BY_CLOSE, -1, true, text, false],
]

test.each(kinds)(
  "a body with %s, whole and cut anywhere",
  (_what, framing, length, framed, out, done) => {
    for (let cut = 0; cut <= text.length; cut++) {
      const used = framing === BY_CHUNKS ? text.length - 4 : out.length
      const endsByClose = framing === BY_CLOSE
      expect(fed(framing, length, framed, cut)).toEqual({ out, used, done, endsByClose })
    }
  },
)

test("a malformed chunk names its refusal, and the next body knows nothing of it", () => {
  const body = new Body()
  body.start(BY_CHUNKS, -1, true)
  body.feed(Buffer.from("x"), 0, 1)
  expect([body.refusal, body.done]).toEqual([CHUNK, false])
  body.start(BY_LENGTH, 3, true)
  expect([body.refusal, body.done]).toEqual([0, false])
})

test("the trailers of one body do not follow the next", () => {
  const body = new Body()
  body.start(BY_CHUNKS, -1, true)
  const bytes = Buffer.from("0\r\nA: b\r\n\r\n")
  body.feed(bytes, 0, bytes.length)
  expect(body.tail.toString()).toBe("A: b\r\n\r\n")
  body.start(NO_BODY, -1, true)
  expect(body.tail).toHaveLength(0)
})

test("lengths beyond 32 bits are counted", () => {
  const body = new Body()
  const piece = Buffer.alloc(1024)
  body.start(BY_LENGTH, 2 ** 40, true)
  body.feed(piece, 0, 1024)
  body.start(BY_LENGTH, 2 ** 32 + 5, true)
  for (let i = 0; i < 2 ** 22; i++) body.feed(piece, 0, 1024)
  expect(body.done).toBe(false)
  expect(body.feed(piece, 0, 1024)).toBe(5)
  expect(body.done).toBe(true)
})
