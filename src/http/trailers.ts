/**
 * Which trailer fields pass. RFC 9110 section 6.5.1 lets a sender put nothing into a trailer section that changes
 * framing, routing, the meaning of the request, authentication or the content's metadata, because a receiver that
 * merges trailers into the head would act on it after the head was judged. Fields for one hop, fields that Connection
 * names, and everything that says where a request came from stay out as well, in both directions.
 *
 * Off the hot path: it runs once for a message that has trailers, and may allocate.
 */
import type { FieldSection } from "./field-section.ts"
import { PLAIN, fieldKind } from "./fields.ts"

/** Names that bunlb acts on in a head are refused by their kind; these it otherwise passes on. */
const forbidden = new Set(
  [
    "age cache-control date expires location pragma range retry-after vary warning",
    "if-match if-modified-since if-none-match if-range if-unmodified-since",
    "accept accept-charset accept-encoding accept-language accept-ranges",
    "proxy-authenticate proxy-authentication-info proxy-authorization set-cookie set-cookie2",
    "content-disposition content-encoding content-language content-location content-range",
    "content-security-policy content-type trailer",
    "http-method x-http-method x-http-method-override x-method-override",
    "x-original-host x-original-url x-rewrite-url",
  ].flatMap((names) => names.split(" ")),
)

/** No field is named by Connection. */
export const noNames: readonly string[] = []

/** The lines of a whole trailer section that may pass, and the empty line after them. */
export function passingTrailers(
  bytes: Buffer,
  section: FieldSection,
  nominated: readonly string[],
): Buffer {
  const lines: Buffer[] = []
  for (let i = 0; i < section.count; i++) {
    const start = section.starts[i] ?? 0
    if (!mayPass(bytes, start, section.nameEnds[i] ?? start, nominated)) continue
    lines.push(bytes.subarray(start, section.starts[i + 1]))
  }
  lines.push(Buffer.from("\r\n"))
  return Buffer.concat(lines)
}

function mayPass(bytes: Buffer, from: number, to: number, nominated: readonly string[]): boolean {
  if (fieldKind(bytes, from, to) !== PLAIN) return false
  const name = bytes.toString("latin1", from, to).toLowerCase()
  // A receiver that turns names into variables takes `_` and `.` for `-`.
  return !forbidden.has(name.replace(/[_.]/g, "-")) && !nominated.includes(name)
}
