/** The responses: by hand and by the fuzzers' grammar, as a backend sends them in one write. */
import { response } from "../../test/fuzz/grammar.ts"
import { mutated } from "../../test/fuzz/mutation.ts"
import { rng } from "../../test/support/until.ts"
import type { RawCase } from "./requests.ts"

export interface ResponseCase extends RawCase {
  /** The request is HEAD. */
  readonly toHead: boolean
  /** The backend ends its connection afterwards. */
  readonly close: boolean
}

const GENERATED = 140
const SEED = 9110

export function responseCases(): ResponseCase[] {
  const chance = rng(SEED)
  const generated = Array.from({ length: GENERATED }, (_, index) => ({
    name: `generated ${index}`,
    text: mutated(response(chance), chance, response(chance)),
    toHead: index % 8 === 0,
    close: index % 3 === 0,
  }))
  return [...attacks(), ...generated]
}

function of(name: string, texts: readonly string[], toHead = false, close = false): ResponseCase[] {
  return texts.map((text, index) => ({ name: `${name} ${index}`, text, toHead, close }))
}

function ok(body: string, ...lines: string[]): string {
  return ["HTTP/1.1 200 OK", ...lines, "", body].join("\r\n")
}

function attacks(): ResponseCase[] {
  return [
    ...of("plain", plain),
    ...of("to the end", [ok("hello"), ok("hello", "Connection: close")], false, true),
    ...of(
      "status line",
      statusLines.map((line) => `${line}\r\nContent-Length: 5\r\n\r\nhello`),
    ),
    ...of(
      "length",
      lengths.map((value) => ok("hello", `Content-Length: ${value}`)),
    ),
    ...of(
      "coding",
      codings.map((value) => ok(chunked, `Transfer-Encoding: ${value}`)),
      false,
      true,
    ),
    ...of("ambiguous", ambiguous, false, true),
    ...of(
      "field",
      fields.map((line) => ok("hello", line, "Content-Length: 5")),
    ),
    ...of(
      "chunks",
      chunks.map((body) => ok(body, "Transfer-Encoding: chunked")),
      false,
      true,
    ),
    ...of("surplus", surplus),
    ...of("to HEAD", toHead, true),
    ...of("interim", interims),
    ...of("cut short", cutShort, false, true),
  ]
}

const chunked = "5\r\nhello\r\n0\r\n\r\n"
const plain = [
  ok("hello", "Content-Length: 5"),
  ok("", "Content-Length: 0"),
  ok(chunked, "Transfer-Encoding: chunked"),
  "HTTP/1.1 204 No Content\r\n\r\n",
  "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
  "HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello",
]
const statusLines = [
  [
    "HTTP/1.1 200",
    "HTTP/1.1 200 ",
    "HTTP/1.1  200 OK",
    "HTTP/1.1 200  OK",
    "HTTP/1.1\t200 OK",
    "HTTP/1.1 20 OK",
  ],
  [
    "HTTP/1.1 2000 OK",
    "HTTP/1.1 099 OK",
    "HTTP/1.1 000 OK",
    "HTTP/1.1 600 X",
    "HTTP/1.1 999 X",
    "HTTP/1.1 2x0 X",
  ],
  [
    "HTTP/1.1 -20 X",
    "HTTP/1.1 +20 X",
    "HTTP/1.1 200OK",
    "HTTP/2.0 200 OK",
    "HTTP/1.2 200 OK",
    "HTTP/0.9 200 OK",
  ],
  [
    "http/1.1 200 OK",
    "HTTP/1 200 OK",
    "HTTP/11 200 OK",
    "ICY 200 OK",
    "HTTP/1.1 200 O\x00K",
    "HTTP/1.1 200 \xe9",
  ],
  [
    "HTTP/1.1 200 O\rK",
    "HTTP/1.1 200 OK\r",
    " HTTP/1.1 200 OK",
    "\r\nHTTP/1.1 200 OK",
    "HTTP/1.1 200 O\x7fK",
    "",
  ],
].flat()
const lengths = [
  [
    "5",
    "05",
    "+5",
    "-5",
    "5, 5",
    "5,6",
    "",
    "a",
    "5a",
    "0x5",
    "5 5",
    " 5",
    "5 ",
    "9007199254740993",
    "5;",
  ],
  ["18446744073709551621", "99999999999999999999999999999999", "5\x0b", "5\x00"],
].flat()
const codings = [
  [
    "chunked",
    "Chunked",
    "xchunked",
    "identity",
    "chunked, identity",
    "gzip, chunked",
    "gzip",
    "chunked, chunked",
  ],
  ["", "x", "\x0bchunked", "chunked;q=1", '"chunked"', "chunked\r\n ", ",chunked"],
].flat()
const ambiguous = [
  ok(chunked, "Transfer-Encoding: chunked", "Content-Length: 5"),
  ok(chunked, "Content-Length: 5", "Transfer-Encoding: chunked"),
  ok("hello", "Content-Length: 5", "Content-Length: 5"),
  ok("hello", "Content-Length: 5", "Content-Length: 6"),
  ok(chunked, "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
  ok(chunked, "Transfer-Encoding: gzip", "Transfer-Encoding: chunked"),
  `HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunked}`,
  ok(chunked, "Transfer-Encoding : chunked"),
  ok("hello", "Content-Length : 5"),
]
const fields = [
  [
    "A : b",
    " A: b",
    ": b",
    "A",
    "A b: c",
    "A: b\r\n c",
    "A: b\nC: d",
    "A: b\rC: d",
    "A: \x00",
    "A: \x01",
    "A: \x7f",
  ],
  [
    "A: \xe9",
    "\xe9: a",
    "A_b: c",
    "A(b: c",
    "A:",
    "Connection: X",
    "Connection: close",
    "Keep-Alive: x",
  ],
  [
    "Upgrade: x",
    "Trailer: A",
    "Set-Cookie: a=b\r\nSet-Cookie: c=d",
    "WWW-Authenticate: NTLM",
    "A: b\r\r",
  ],
  [
    "Content-Length: 5",
    "Transfer_Encoding: chunked",
    `A: ${"b".repeat(15_000)}`,
    `A: ${"b".repeat(70_000)}`,
  ],
].flat()
const chunks = [
  chunked,
  "5\r\nhello\r\n00\r\n\r\n",
  "0x5\r\nhello\r\n0\r\n\r\n",
  "5 \r\nhello\r\n0\r\n\r\n",
  "+5\r\nhello\r\n0\r\n\r\n",
  "5\nhello\n0\n\n",
  "5;a=b\r\nhello\r\n0\r\n\r\n",
  "5;\nhello\r\n0\r\n\r\n",
  "5\r\nhelloXX0\r\n\r\n",
  "ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
  "10000000000000005\r\nhello\r\n0\r\n\r\n",
  "5\r\nhello\r\n0\r\nA: b\r\n\r\n",
  "5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n",
  "5\r\nhello\r\n0\r\nA : b\r\n\r\n",
  "5\r\nhello\r\n0\n\n",
  "g\r\nhello\r\n0\r\n\r\n",
  "\r\n",
]
const surplus = [
  `${ok("hello", "Content-Length: 5")}more`,
  `${ok("hello", "Content-Length: 5")}${ok("evil", "Content-Length: 4")}`,
  `${ok(chunked, "Transfer-Encoding: chunked")}${ok("evil", "Content-Length: 4")}`,
  `HTTP/1.1 204 No Content\r\n\r\n${ok("evil", "Content-Length: 4")}`,
  `HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello`,
  `HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello`,
  `HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n${chunked}`,
  `${ok("hello", "Content-Length: 5")}\r\n`,
]
const toHead = [
  ok("", "Content-Length: 5"),
  ok("", "Transfer-Encoding: chunked"),
  ok("", "X: y"),
  ok("hello", "Content-Length: 5"),
  ok(ok("evil", "Content-Length: 4"), "Content-Length: 5"),
  ok("", "Content-Length: 5", "Content-Length: 5"),
  ok("", "Content-Length: 5", "Transfer-Encoding: chunked"),
]
const final = ok("hello", "Content-Length: 5")
const interims = [
  `HTTP/1.1 100 Continue\r\n\r\n${final}`,
  `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${final}`,
  `HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n${final}`,
  `${"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(16)}${final}`,
  `${"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(17)}${final}`,
  `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n${final}`,
  `HTTP/1.1 101 Switching Protocols\r\n\r\n${final}`,
  `HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nhello${final}`,
  `HTTP/1.1 199 X\r\n\r\n${final}`,
]
const cutShort = [
  "",
  "HTTP/1.1",
  "HTTP/1.1 200 OK\r\n",
  "HTTP/1.1 200 OK\r\nContent-Le",
  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n",
  ok("hel", "Content-Length: 5"),
  ok("5\r\nhel", "Transfer-Encoding: chunked"),
  ok("5\r\nhello\r\n", "Transfer-Encoding: chunked"),
  ok("5\r\nhello\r\n0\r\n", "Transfer-Encoding: chunked"),
  "garbage",
]
