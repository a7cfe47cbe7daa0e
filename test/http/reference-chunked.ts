/**
 * Chunked bodies decoded in the plainest way: all of the text at once, line by line with regular expressions. Slow,
 * and too simple to be wrong in the same place as the decoder that it is compared with.
 */
export interface Decoded {
  readonly body: string
  /** The lines that may pass, each with its CRLF. */
  readonly trailers: string
  /** Characters that belong to the body. */
  readonly length: number
  /** Characters of all extensions. */
  readonly extensions: number
}

const sizeLine = /^([0-9A-Fa-f]{1,16})([ \t]*;[\t\x20-\x7e\x80-\xff]*)?\r\n/
const trailerLine = /^([-!#$%&'*+.^_`|~0-9A-Za-z]+):[\t\x20-\x7e\x80-\xff]*\r\n/

const forbidden = [
  ["host", "connection", "keep-alive", "proxy-connection", "te", "http2-settings"],
  ["transfer-encoding", "content-length", "upgrade", "expect", "cookie", "authorization"],
  ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-real-ip", "x-request-id"],
  ["forwarded", "x-forwarded-port", "x-forwarded-prefix", "x-forwarded-server"],
  ["x-forwarded-scheme", "x-forwarded-ssl", "x-forwarded-by", "via", "www-authenticate"],
].flat()

/** What the text begins with, or null when that is no whole chunked body. */
export function decodeChunked(text: string): Decoded | null {
  let at = 0
  let body = ""
  let extensions = 0
  let excess = 0
  for (;;) {
    const [line = "", digits = "", extension = ""] = sizeLine.exec(text.slice(at)) ?? []
    extensions += extension.length
    const size = Number.parseInt(digits, 16)
    if (extension !== "") {
      const size = Number.parseInt(digits, 16)
      excess = Math.max(0, excess + extension.length - size)
    }
    if (line === "" || extension.length > 1024 || excess > 16_384) return null
    if (size > Number.MAX_SAFE_INTEGER) return null
    at += line.length
    if (size === 0) break
    if (text.slice(at + size, at + size + 2) !== "\r\n") return null
    body += text.slice(at, at + size)
    at += size + 2
  }
  const end = readTrailers(text.slice(at))
  return end === null ? null : { body, trailers: end.kept, length: at + end.length, extensions }
}

function readTrailers(text: string): { kept: string; length: number } | null {
  let at = 0
  let kept = ""
  for (let fields = 0; !text.startsWith("\r\n", at); fields++) {
    const [line = "", name = ""] = trailerLine.exec(text.slice(at)) ?? []
    if (line === "" || fields === 32) return null
    at += line.length
    if (mayPass(name.toLowerCase())) kept += line
  }
  return at + 2 <= 8192 || at === 0 ? { kept, length: at + 2 } : null
}

function mayPass(name: string): boolean {
  const plain = name.replace(/[_.]/g, "-")
  return !forbidden.includes(plain) && !plain.startsWith("x-forwarded-")
}
