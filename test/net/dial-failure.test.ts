/** Whose fault a dial is that failed at once: bunlb's own, or of an address that cannot be reached from here. */
import { expect, test } from "bun:test"
import { existsSync, readFileSync } from "node:fs"
import { immediateFailure, socketFailure } from "../../src/net/dial-failure.ts"

const EMFILE = 24
const EAFNOSUPPORT = 97
const EADDRNOTAVAIL = 99
const ENETUNREACH = 101

const ADDRESSES = "/proc/net/if_inet6"
const hasIpv6 = existsSync(ADDRESSES) && readFileSync(ADDRESSES, "latin1") !== ""

test("without descriptors it is ours, without the family nobody's", () => {
  expect(socketFailure(EMFILE)).toMatchObject({ reason: "out of descriptors", local: true })
  expect(socketFailure(EAFNOSUPPORT)).toMatchObject({ reason: "unreachable", local: false })
})

test.each([
  ["10.0.0.1", EADDRNOTAVAIL, true],
  ["10.0.0.1", ENETUNREACH, false],
  // Where IPv6 is off, an IPv6 address fails as if ports were used up: the next address may be of IPv4.
  ["::1", EADDRNOTAVAIL, hasIpv6],
])("to %s, errno %d, it is ours: %p", (ip, errno, local) => {
  const reason = local ? "out of local ports" : "unreachable"
  expect(immediateFailure(errno, ip)).toMatchObject({ reason, local })
})
