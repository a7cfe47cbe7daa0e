/**
 * The CA certificates in a PEM file, in the one form that TLS takes (RFC 7468). Files come with a byte order mark, in
 * UTF-16, with the old label `X509 CERTIFICATE`, with text between the blocks, or as OpenSSL's `TRUSTED CERTIFICATE`,
 * which says behind the certificate what it may be used for. Anything damaged is refused: half a file, as it is while
 * somebody writes it, must not replace a whole one.
 */
import { X509Certificate } from "node:crypto"

/** OIDs in DER, without tag and length: serverAuth (RFC 5280), any use at all. */
const SERVER_AUTH = "2b06010505070301"
const ANY_USE = "551d2500"

const block =
  /^[ \t]*-----BEGIN ((?:TRUSTED |X509 )?CERTIFICATE)-----[ \t]*$([^]*?)^[ \t]*-----END \1-----/gm
const begin = /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----/g

const SEQUENCE = 0x30
/** The uses for which a certificate is not to be trusted. */
const REJECTED = 0xa0

/** One string of PEM blocks. Throws an `Error` that says what is wrong. */
export function certificatesOf(bytes: Buffer): string {
  const text = decode(bytes).replaceAll(/\r\n?/g, "\n")
  const begun = text.match(begin)?.length ?? 0
  if (begun === 0) throw new Error("holds no PEM certificate")
  const found = [...text.matchAll(block)]
  if (found.length < begun) throw new Error("ends within a certificate, or holds damaged ones")
  const trusted = found.flatMap(([, label = "", body = ""], index) => {
    const der = Buffer.from(body.replaceAll(/\s/g, ""), "base64")
    const end = lengthOf(der, 0)
    const tail = der.length - end
    const isWhole = der[0] === SEQUENCE && (label.startsWith("TRUSTED") ? tail >= 0 : tail === 0)
    if (!isWhole) throw new Error(`is damaged in certificate ${index + 1}`)
    const certificate = der.subarray(0, end)
    return isReadable(certificate) && provesServers(der.subarray(end)) ? [certificate] : []
  })
  if (trusted.length === 0) throw new Error("holds no certificate that can vouch for a server")
  return trusted.map(encode).join("")
}

function decode(bytes: Buffer): string {
  const utf16 = bytes[0] === 0xff && bytes[1] === 0xfe
  const swapped = bytes[0] === 0xfe && bytes[1] === 0xff
  if (utf16) return new TextDecoder("utf-16le").decode(bytes)
  if (swapped) return new TextDecoder("utf-16be").decode(bytes)
  // What is no UTF-8 stands in comments only. The decoder leaves out a byte order mark.
  return new TextDecoder().decode(bytes)
}

function encode(der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`
}

/** Bundles hold old certificates that BoringSSL does not read; they vouch for nobody. */
function isReadable(der: Buffer): boolean {
  try {
    new X509Certificate(der)
    return true
  } catch {
    return false
  }
}

/** `use`: SEQUENCE { trusted uses SEQUENCE OPTIONAL, rejected uses [0] OPTIONAL, ... }; empty for no restriction. */
function provesServers(use: Buffer): boolean {
  if (use.length === 0) return true
  let trusted: string[] | null = null
  let rejected: string[] = []
  for (let at = contentOf(use, 0), end = endOf(use, 0); at < end; at = endOf(use, at)) {
    if (use[at] === SEQUENCE) trusted = usesIn(use, at)
    if (use[at] === REJECTED) rejected = usesIn(use, at)
  }
  const names = (uses: readonly string[]): boolean =>
    uses.includes(SERVER_AUTH) || uses.includes(ANY_USE)
  return !names(rejected) && (trusted === null || names(trusted))
}

function usesIn(der: Buffer, from: number): string[] {
  const uses: string[] = []
  for (let at = contentOf(der, from), end = endOf(der, from); at < end; at = endOf(der, at)) {
    uses.push(der.subarray(contentOf(der, at), endOf(der, at)).toString("hex"))
  }
  return uses
}

/** Where the content of the element at `at` begins. */
function contentOf(der: Buffer, at: number): number {
  const first = der[at + 1] ?? 0
  return at + 2 + (first < 0x80 ? 0 : first & 0x7f)
}

/** Where the element at `at` ends: always further on, and not behind the end of all. */
function endOf(der: Buffer, at: number): number {
  return Math.max(at + 1, Math.min(at + lengthOf(der, at), der.length))
}

/** The length that the element at `at` says that it has, tag included. */
function lengthOf(der: Buffer, at: number): number {
  const content = contentOf(der, at)
  const first = der[at + 1] ?? 0
  if (first < 0x80) return content - at + first
  let length = 0
  for (let i = at + 2; i < content; i++) length = length * 256 + (der[i] ?? 0)
  return content - at + length
}
