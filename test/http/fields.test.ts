/** Names that bunlb knows, in any case, and those that only look like them. */
import { expect, test } from "bun:test"
import * as fields from "../../src/http/fields.ts"

const kindOf = (name: string): number =>
  fields.fieldKind(Buffer.from(`-${name}-`), 1, 1 + name.length)

const known: readonly [name: string, kind: number][] = [
  ["Host", fields.HOST],
  ["Connection", fields.CONNECTION],
  ["Keep-Alive", fields.HOP_BY_HOP],
  ["TE", fields.HOP_BY_HOP],
  ["Proxy-Connection", fields.HOP_BY_HOP],
  ["HTTP2-Settings", fields.HOP_BY_HOP],
  ["Transfer-Encoding", fields.TRANSFER_ENCODING],
  ["Content-Length", fields.CONTENT_LENGTH],
  ["Upgrade", fields.UPGRADE],
  ["Expect", fields.EXPECT],
  ["X-Forwarded-For", fields.FORWARDED_FOR],
  ["X-Forwarded-Proto", fields.FORWARDED_PROTO],
  ["X-Forwarded-Host", fields.FORWARDED_HOST],
  ["Forwarded", fields.FORWARDED_OTHER],
  ["X-Forwarded-Prefix", fields.FORWARDED_OTHER],
  ["X-Forwarded-Port", fields.FORWARDED_PORT],
  ["X-Forwarded-Client-Cert", fields.FORWARDED_OTHER],
  ["True-Client-IP", fields.FORWARDED_OTHER],
  ["Bunlb-Hops", fields.HOPS],
  ["X-Real-IP", fields.REAL_IP],
  ["X-Request-Id", fields.REQUEST_ID],
  ["Via", fields.VIA],
  ["Cookie", fields.COOKIE],
  ["Authorization", fields.AUTHORIZATION],
  ["WWW-Authenticate", fields.AUTHENTICATE],
]

test.each(known)("%s", (name, kind) => {
  for (const each of [name, name.toLowerCase(), name.toUpperCase()]) expect(kindOf(each)).toBe(kind)
  // Any X-Forwarded-* says where a request came from.
  const byPrefix = /^X-Forwarded-/.test(name)
  expect(kindOf(`${name}x`)).toBe(byPrefix ? fields.FORWARDED_OTHER : fields.PLAIN)
  expect(kindOf(name.slice(1))).toBe(fields.PLAIN)
})

test("a known name with _ or . is an alias, an unknown one is not", () => {
  for (const name of ["X_Forwarded_For", "x.real-ip", "CONTENT_LENGTH", "Transfer.Encoding"]) {
    expect(kindOf(name)).toBe(fields.ALIAS)
  }
  for (const name of ["", "x_y", "h.st", "xforwardedfor", "x--real-ip", "n".repeat(40)]) {
    expect(kindOf(name)).toBe(fields.PLAIN)
  }
})
