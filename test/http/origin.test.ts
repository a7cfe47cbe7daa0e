/** Numbers for clients and pages. */
import { expect, test } from "bun:test"
import { hashAddress, hashForwarded, hashPath } from "../../src/http/origin.ts"
import { RequestMessage } from "../../src/http/request-message.ts"
import { scanRequest } from "../../src/h1/request.ts"
import { defaultSettings } from "../../src/config/resolve.ts"

const { limits } = defaultSettings({ platform: "linux", cpus: 2 })

function scanned(target: string, ...fields: string[]) {
  const bytes = Buffer.from([`GET ${target} HTTP/1.1`, "Host: x", ...fields, "", ""].join("\r\n"))
  const head = new RequestMessage(limits)
  expect(scanRequest(bytes, 0, bytes.length, limits, head)).toBe(bytes.length)
  return { bytes, head }
}

function pathHash(target: string): number {
  const { bytes, head } = scanned(target)
  return hashPath(bytes, head)
}

function clientHash(...fields: string[]): number {
  const { bytes, head } = scanned("/", ...fields)
  return hashForwarded(bytes, head, 7)
}

test("a path is the same page whatever its query and its form", () => {
  expect(pathHash("/a?b=1")).toBe(pathHash("/a"))
  expect(pathHash("/a?b=2")).toBe(pathHash("/a?b=1"))
  expect(pathHash("http://x/a")).toBe(pathHash("/a"))
  expect(pathHash("/a")).not.toBe(pathHash("/b"))
  expect(pathHash(`/${"a".repeat(200)}`)).toBe(pathHash(`/${"a".repeat(201)}`))
})

test("an IPv4 address is a client, of IPv6 the network of 64 bits is", () => {
  expect(hashAddress("10.0.0.1")).not.toBe(hashAddress("10.0.0.2"))
  expect(hashAddress("2001:db8:1:2:3:4:5:6")).toBe(hashAddress("2001:db8:1:2:9:9:9:9"))
  expect(hashAddress("2001:db8::1")).toBe(hashAddress("2001:db8::2"))
  expect(hashAddress("2001:db8:1:2::1")).not.toBe(hashAddress("2001:db8:1:3::1"))
  expect(hashAddress("::ffff:10.0.0.1")).not.toBe(hashAddress("::ffff:10.0.0.2"))
})

test("behind a trusted proxy the client is what that proxy wrote, not what the client claims", () => {
  const one = clientHash("X-Forwarded-For: 1.1.1.1, 9.9.9.9")
  expect(clientHash("X-Forwarded-For: 2.2.2.2,9.9.9.9")).toBe(one)
  expect(clientHash("X-Forwarded-For: 3.3.3.3", "X-Forwarded-For: 9.9.9.9")).toBe(one)
  expect(clientHash("X-Forwarded-For: 9.9.9.8")).not.toBe(one)
  expect(clientHash()).toBe(7)
})
