/** The chunked decoder: examples, and what holds for all bodies however they are cut. */
import { describe, expect, test } from "bun:test"
import { BARE_LF, BLANKS, ChunkedBody, STRICT } from "../../src/h1/chunked.ts"
import { CHUNK, CHUNK_EXTENSION, TRAILER, TRAILER_SIZE } from "../../src/http/refusal.ts"
import { rng, type Rng } from "../support/until.ts"
import { decodeChunked } from "../http/reference-chunked.ts"

interface Outcome {
  readonly done: boolean
  readonly refusal: number
  /** What goes on. */
  readonly out: string
  /** Bytes that belong to the body. */
  readonly used: number
}

/** Feeds the text in pieces that end at `cuts`. */
function feed(
  text: string,
  framed: boolean,
  cuts: readonly number[] = [],
  rules = STRICT,
  nominated: readonly string[] = [],
): Outcome {
  const body = new ChunkedBody()
  body.start(framed, rules, nominated)
  let out = ""
  let from = 0
  for (const to of [...cuts, text.length]) {
    // In the middle of a buffer, so that an offset taken for a length shows.
    const bytes = Buffer.from(`##${text.slice(from, to)}##`, "latin1")
    const end = body.feed(bytes, 2, bytes.length - 2)
    out += bytes.toString("latin1", 2, body.outEnd) + body.tail.toString("latin1")
    expect(bytes.toString("latin1", end)).toBe(`${text.slice(from + end - 2, to)}##`)
    from += end - 2
    if (body.done || body.failed) break
  }
  // A last chunk that was cut in two goes on when its end has come, else with its line.
  if (!body.done) out = out.replace(/0\r\n$/, "")
  return { done: body.done, refusal: body.refusal, out: body.failed ? "" : out, used: from }
}

test("what is sound goes on as it came, and what follows is left", () => {
  const text = "5\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n"
  expect(feed(`${text}GET /`, true)).toEqual({
    done: true,
    refusal: 0,
    out: text,
    used: text.length,
  })
})

test("without framing the data alone goes on", () => {
  const { done, out } = feed("5;x\r\nhello\r\n1\r\n!\r\n0\r\nA: b\r\n\r\n", false)
  expect([done, out]).toEqual([true, "hello!"])
})

test("extensions and forbidden trailers are cut out", () => {
  const { out } = feed("1;a\r\nx\r\n0;b=c\r\nA: b\r\nHost: c\r\nd:e\r\n\r\n", true)
  expect(out).toBe("1\r\nx\r\n0\r\nA: b\r\nd:e\r\n\r\n")
  expect(feed("0\r\nHost: c\r\n\r\n", true).out).toBe("0\r\n\r\n")
})

/** The text cut in two before each of its bytes must say the same as the whole. */
function feedAllWays(text: string, rules: number, nominated: readonly string[] = []): Outcome {
  const whole = feed(text, true, [], rules, nominated)
  for (let cut = 1; cut < text.length; cut++) {
    const { out, ...rest } = feed(text, true, [cut], rules, nominated)
    const { out: expected, ...others } = whole
    expect({ cut, ...rest }).toEqual({ cut, ...others })
    // Framing made anew follows the pieces; the data is the same.
    if ((rules & BARE_LF) === 0) expect({ cut, out }).toEqual({ cut, out: expected })
    else if (whole.done) expect(decodeChunked(out)?.body).toBe(decodeChunked(expected)?.body ?? "-")
  }
  return whole
}

describe("a size goes on in one spelling:", () => {
  test.each([
    ["00A\r\n0123456789\r\n0\r\n\r\n", "A\r\n0123456789\r\n0\r\n\r\n"],
    ["0000000000000001\r\nx\r\n00000\r\n\r\n", "1\r\nx\r\n0\r\n\r\n"],
    ["01;a\r\nx\r\n00;b\r\nA: b\r\n\r\n", "1\r\nx\r\n0\r\nA: b\r\n\r\n"],
    ["1 ;a=b\r\nx\r\n0\t; c\r\n\r\n", "1\r\nx\r\n0\r\n\r\n"],
    ['1 \t ; a = "b;c"\r\nx\r\n0\r\n\r\n', "1\r\nx\r\n0\r\n\r\n"],
  ])("%j", (text, expected) => {
    for (const rules of [STRICT, BLANKS]) {
      expect(feedAllWays(text, rules)).toMatchObject({ done: true, out: expected })
    }
  })
})

test("a response may be padded in every chunk, however short its chunks are", () => {
  const { done, refusal } = feed(
    `${"1       \r\nx\r\n".repeat(10_000)}0       \r\n\r\n`,
    true,
    [],
    BLANKS,
  )
  expect([done, refusal]).toEqual([true, 0])
})

test("blanks behind a size are forgiven in responses alone", () => {
  const text = "1 \r\nx\r\n0 \t\r\n\r\n"
  expect(feedAllWays(text, BLANKS)).toMatchObject({ done: true, out: "1\r\nx\r\n0\r\n\r\n" })
  expect(feedAllWays(text, STRICT).refusal).toBe(CHUNK)
})

test.each([" 1\r\nx\r\n", "1 2\r\n", "1 \n", "1 ;a\nx", "1\r\r\n", "1\rx", "1 \r;a\r\n"])(
  "%j is no size, whatever is forgiven",
  (text) => expect(feedAllWays(`${text}0\r\n\r\n`, BLANKS).refusal).toBe(CHUNK),
)

describe("where LF alone may end lines", () => {
  test.each([
    ["5\nhello\n0\n\n", "5\r\nhello\r\n0\r\n\r\n"],
    ["2\nab\n1\nc\n0\nA: b\nHost: x\n\n", "3\r\nabc\r\n0\r\nA: b\r\n\r\n"],
    ["3\n\r\n\n\n0\n\n", "3\r\n\r\n\n\r\n0\r\n\r\n"],
    ["5;a\r\nhello\r\n00\r\nA: b\r\n\r\n", "5\r\nhello\r\n0\r\nA: b\r\n\r\n"],
  ])("%j goes on with CRLF", (text, expected) => {
    expect(feedAllWays(text, BARE_LF)).toMatchObject({ done: true, out: expected })
    expect(feed(text, false, [], BARE_LF)).toMatchObject({ done: true })
  })

  test.each([
    "1\nx\r\n0\r\n\r\n",
    "1\r\nx\n0\n\n",
    "1\nx\n0\r\n\r\n",
    "1\nx\n0\n\r\n",
    "1\r\nx\r\n0\r\n\n",
    "1\nx\n0\nA: b\r\n\n",
    "1\r\nx\r\n0\r\nA: b\n\r\n",
    "1;a\nx\n0\n\n",
    "1 ;a\nx\n0\n\n",
    "1\r\r\nx\r\n0\r\n\r\n",
    "1\nx\r0\n\n",
  ])("%j mixes them and is refused", (text) => {
    expect([CHUNK, TRAILER]).toContain(feedAllWays(text, BARE_LF).refusal)
  })
})

test("trailers that Connection names stay out", () => {
  const text = "0\r\nX-Mine: 1\r\nA: b\r\nx-mine: 2\r\n\r\n"
  expect(feedAllWays(text, STRICT, ["x-mine"]).out).toBe("0\r\nA: b\r\n\r\n")
})

test("a decoder is as new after start", () => {
  const body = new ChunkedBody()
  for (const text of ["0\r\nA: b\r\n\r\n", "x", "2\r\nab\r\n0\r\n\r\n", "1;e", "0\r\n\r\n"]) {
    body.start(true)
    expect([body.done, body.failed, body.refusal, body.tail.length]).toEqual([false, false, 0, 0])
    body.feed(Buffer.from(text), 0, text.length)
  }
  expect([body.done, body.tail.length]).toEqual([true, 0])
  const extended = `1;${"e".repeat(1000)}\r\nx\r\n`.repeat(10)
  for (let times = 0; times < 3; times++) {
    body.start(true)
    body.feed(Buffer.from(extended), 0, extended.length)
    expect(body.failed).toBe(false)
  }
})

describe("limits:", () => {
  const extension = (length: number): string => `1;${"e".repeat(length - 1)}\r\nx\r\n`
  const trailers = (length: number): string => `0\r\nA: ${"t".repeat(length - 7)}\r\n\r\n`
  const cases: readonly [what: string, text: string, refusal: number][] = [
    ["16 digits", `${"0".repeat(15)}1\r\nx\r\n0\r\n\r\n`, 0],
    ["17 digits", `${"0".repeat(16)}1\r\n`, CHUNK],
    ["2^53 - 1", "1fffffffffffff\r\n", 0],
    ["2^53", "20000000000000\r\n", CHUNK],
    ["an extension of 1 KiB", `${extension(1024)}0\r\n\r\n`, 0],
    ["an extension of more", extension(1025), CHUNK_EXTENSION],
    ["extensions of 16 KiB", `${extension(1024).repeat(16)}0\r\n\r\n`, 0],
    [
      "more, beside as much data",
      `400;${"e".repeat(1023)}\r\n${"x".repeat(1024)}\r\n`.repeat(40) + "0\r\n\r\n",
      0,
    ],
    ["extensions of more", extension(1024).repeat(17), CHUNK_EXTENSION],
    ["trailers of 8 KiB", trailers(8192), 0],
    ["trailers of more", trailers(8193), TRAILER_SIZE],
    ["32 trailers", `0\r\n${"A: b\r\n".repeat(32)}\r\n`, 0],
    ["33 trailers", `0\r\n${"A: b\r\n".repeat(33)}\r\n`, TRAILER],
  ]
  test.each(cases)("%s", (_what, text, refusal) => {
    expect(feed(text, true).refusal).toBe(refusal)
  })
})

const ROUNDS = 3000
const SEED = 7112
const nasty = ["\r", "\n", ";", ":", "0", "5", "f", " ", "\t", "\0", "x", "\r\n", ""] as const
const names = ["A", "checksum", "Host", "content_length", "Via", "v.ia", "X-Forwarded-For"] as const

function randomBody(chance: Rng): string {
  let text = ""
  for (let chunks = chance.between(0, 4); chunks > 0; chunks--) {
    const data = chance.pick(["hello", "0\r\n\r\n", "\r\n", "a".repeat(300), "\n5\r\n"])
    const size = data.length.toString(16).padStart(chance.between(1, 5), "0")
    text += `${size}${chance.pick(["", "", ";", ";a=b", ';a="b c"'])}\r\n${data}\r\n`
  }
  text += chance.pick(["0", "000", "0;end"])
  text += "\r\n"
  for (let lines = chance.between(0, 3); lines > 0; lines--) {
    text += `${chance.pick(names)}:${chance.pick(["", " b", "\tb "])}\r\n`
  }
  return `${text}\r\n`
}

/** Some bytes of the text made into others. */
function spoilt(text: string, chance: Rng): string {
  let result = text
  for (let times = chance.between(0, 2); times > 0; times--) {
    const at = chance.between(0, result.length - 1)
    result = result.slice(0, at) + chance.pick(nasty) + result.slice(at + chance.between(0, 1))
  }
  return result
}

function randomCuts(text: string, chance: Rng): number[] {
  const count = chance.pick([1, 2, 5, text.length])
  const cuts = Array.from({ length: count }, () => chance.between(0, text.length))
  return cuts.toSorted((a, b) => a - b)
}

describe(`${ROUNDS} bodies by chance (seed ${SEED}):`, () => {
  test("a body says the same whole and in pieces, and what the plain decoder says", () => {
    const chance = rng(SEED)
    const seen = { good: 0, bad: 0 }
    for (let round = 0; round < ROUNDS; round++) {
      const text = spoilt(randomBody(chance), chance) + chance.pick(["", "GET / HTTP/1.1\r\n", "0"])
      const decoded = decodeChunked(text)
      const context = { round, text }
      for (const framed of [true, false]) {
        const whole = feed(text, framed)
        const pieces = feed(text, framed, randomCuts(text, chance))
        expect({ ...context, ...pieces }).toEqual({ ...context, ...whole })
        expect({ ...context, done: whole.done }).toEqual({ ...context, done: decoded !== null })
        if (decoded === null) continue
        expect({ ...context, used: whole.used }).toEqual({ ...context, used: decoded.length })
        if (framed) {
          const passed = { ...decoded, length: whole.out.length, extensions: 0 }
          expect({ ...context, ...decodeChunked(whole.out) }).toEqual({ ...context, ...passed })
        } else expect(whole.out).toBe(decoded.body)
      }
      seen[decoded === null ? "bad" : "good"]++
    }
    // Neither kind is rare, else this would prove little.
    expect(Math.min(seen.good, seen.bad)).toBeGreaterThan(ROUNDS / 5)
  })
})

test("a million chunks of one byte cost less than a second", () => {
  const body = new ChunkedBody()
  body.start(true)
  const piece = Buffer.from("1\r\nx\r\n".repeat(10_000))
  const began = performance.now()
  for (let i = 0; i < 100; i++) body.feed(piece, 0, piece.length)
  expect(performance.now() - began).toBeLessThan(1000)
  expect(body.outEnd).toBe(piece.length)
})
