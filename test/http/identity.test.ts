/** Who the client is: for a stranger what its address says, for a trusted proxy what its chain says. */
import { expect, test } from "bun:test"
import { ClientIdentity, type IdentityTerms } from "../../src/http/identity.ts"
import { TrustedProxies } from "../../src/net/ip/cidr.ts"
import { RequestMessage } from "../../src/http/request-message.ts"
import { scanRequest } from "../../src/h1/request.ts"

const limits = { headBytes: 4096, requestLineBytes: 1024, fields: 20 }
const chain = new TrustedProxies(["10.0.0.0/8"])

function identityOf(
  address: string,
  trusted: boolean,
  scheme: IdentityTerms["scheme"],
  forwarded: boolean,
): ClientIdentity {
  return new ClientIdentity(address, trusted, { chain, scheme, forwarded, port: 8080 })
}

function request(...lines: string[]): { bytes: Buffer; head: RequestMessage } {
  const head = new RequestMessage(limits)
  const bytes = Buffer.from(["GET / HTTP/1.1", "Host: h", ...lines, "", ""].join("\r\n"), "latin1")
  expect(scanRequest(bytes, 0, bytes.length, limits, head)).toBe(bytes.length)
  return { bytes, head }
}

function linesOf(identity: ClientIdentity, ...lines: string[]): string[] {
  const { bytes, head } = request(...lines)
  const out = Buffer.alloc(4096)
  const written = out.toString("latin1", 2, identity.putLines(bytes, head, out, 2))
  return written.split("\r\n").filter((line) => line !== "" && !line.startsWith("X-Forwarded-Port"))
}

test("the lines of a stranger are its address and scheme", () => {
  const identity = identityOf("10.0.0.1", false, "https", false)
  expect(Buffer.from(identity.lines).toString()).toBe(
    "X-Forwarded-For: 10.0.0.1\r\nX-Real-IP: 10.0.0.1\r\nX-Forwarded-Proto: https\r\n",
  )
})

test("a Forwarded line says the same, when it is wanted, after one of a trusted proxy", () => {
  const forwarded = (address: string, ...lines: string[]): string | undefined =>
    linesOf(identityOf(address, true, "http", true), ...lines).at(-1)
  expect(forwarded("10.0.0.1")).toBe("Forwarded: for=10.0.0.1;proto=http")
  expect(forwarded("10.0.0.1", "Forwarded: for=x")).toBe("Forwarded: for=10.0.0.1;proto=http")
  expect(forwarded("::1")).toBe('Forwarded: for="[::1]";proto=http')
  const stranger = identityOf("10.0.0.1", false, "https", true)
  expect(Buffer.from(stranger.lines).toString()).toEndWith(
    "Forwarded: for=10.0.0.1;proto=https\r\n",
  )
})

test("the chain of a trusted proxy goes on, with its address at the end", () => {
  const identity = identityOf("10.0.0.1", true, "http", false)
  expect(linesOf(identity, "X-Forwarded-For: 1.1.1.1", "x-forwarded-for: 2.2.2.2 ")).toEqual([
    "X-Forwarded-For: 1.1.1.1, 2.2.2.2, 10.0.0.1",
    "X-Real-IP: 2.2.2.2",
    "X-Forwarded-Proto: http",
  ])
  expect(linesOf(identity, "X-Forwarded-Proto: https")).toEqual([
    "X-Forwarded-For: 10.0.0.1",
    "X-Real-IP: 10.0.0.1",
  ])
})

test.each([
  [["1.1.1.1,"], "1.1.1.1, 10.0.0.1", "1.1.1.1"],
  [["1.1.1.1", ",", "\t, 10.0.0.2 ,,"], "1.1.1.1, 10.0.0.2, 10.0.0.1", "1.1.1.1"],
  [[",, ,"], "10.0.0.1", "10.0.0.1"],
  [["6.6.6.6, ::ffff:1.2.3.4"], "6.6.6.6, ::ffff:1.2.3.4, 10.0.0.1", "1.2.3.4"],
  [["[2001:db8::1%eth0]:80"], "[2001:db8::1%eth0]:80, 10.0.0.1", "2001:db8::1"],
  [["1.1.1.1, junk, 10.0.0.3"], "1.1.1.1, junk, 10.0.0.3, 10.0.0.1", "10.0.0.3"],
])("empty members are skipped, addresses are plain: %j", (values, whole, real) => {
  const identity = identityOf("10.0.0.1", true, "http", false)
  const lines = values.map((value) => `X-Forwarded-For: ${value}`)
  expect(linesOf(identity, ...lines).slice(0, 2)).toEqual([
    `X-Forwarded-For: ${whole}`,
    `X-Real-IP: ${real}`,
  ])
  expect(identity.clientOf(values.join(", "))).toBe(real)
})

test("an alias or a nominated chain counts for nothing", () => {
  const identity = identityOf("10.0.0.1", true, "http", false)
  const own = ["X-Forwarded-For: 10.0.0.1", "X-Real-IP: 10.0.0.1", "X-Forwarded-Proto: http"]
  expect(linesOf(identity, "X_Forwarded_For: 1.1.1.1")).toEqual(own)
})

const secure: readonly [
  scheme: "http" | "https",
  trusted: boolean,
  said: string,
  secure: boolean,
][] = [
  ["https", false, "", true],
  ["https", true, "X-Forwarded-Proto: http", true],
  ["http", true, "X-Forwarded-Proto: HTTPS", true],
  ["http", true, "X-Forwarded-Proto: http", false],
  ["http", true, "A: b", false],
  ["http", false, "X-Forwarded-Proto: https", false],
]
test.each(secure)("%s, trusted %p, %p: secure is %p", (scheme, trusted, said, expected) => {
  const identity = identityOf("10.0.0.1", trusted, scheme, false)
  const { bytes, head } = request(said || "A: b")
  expect(identity.isSecure(bytes, head)).toBe(expected)
})

test("a peer on a unix socket has no address to tell of, and what a trusted one says goes on", () => {
  const stranger = identityOf("unix:", false, "http", true)
  expect(Buffer.from(stranger.lines).toString()).toBe(
    "X-Forwarded-Proto: http\r\nForwarded: for=unknown;proto=http\r\n",
  )
  expect(linesOf(stranger, "X-Forwarded-For: 1.1.1.1")).toEqual([
    "X-Forwarded-Proto: http",
    "Forwarded: for=unknown;proto=http",
  ])
  const trusted = identityOf("unix:", true, "http", false)
  expect(linesOf(trusted)).toEqual(["X-Forwarded-Proto: http"])
  expect(linesOf(trusted, "X-Forwarded-For: 1.1.1.1, 10.0.0.7")).toEqual([
    "X-Forwarded-For: 1.1.1.1, 10.0.0.7",
    "X-Real-IP: 1.1.1.1",
    "X-Forwarded-Proto: http",
  ])
  expect(linesOf(trusted, "X-Forwarded-For: rubbish")).toEqual([
    "X-Forwarded-For: rubbish",
    "X-Forwarded-Proto: http",
  ])
  expect(trusted.clientOf("1.1.1.1")).toBe("1.1.1.1")
  expect(trusted.clientOf("")).toBe("unix:")
  expect(stranger.clientOf("1.1.1.1")).toBe("unix:")
})
