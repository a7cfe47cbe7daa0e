/** Who may change something through the admin listener: address x token x what a browser says. */
import { describe, expect, test } from "bun:test"
import { guard, judgeHost } from "../../src/admin/guard.ts"
import type { AdminRequest } from "../../src/admin/http-request.ts"

const loopback = { host: "127.0.0.1", port: 9900 }
const open = { host: "0.0.0.0", port: 9900 }
const socket = { path: "/run/bunlb/admin.sock" }
const TOKEN = "0123456789abcdef"

function ask(headers: Record<string, string>): AdminRequest {
  const url = "http://127.0.0.1:9900/api/v1/reload"
  return { method: "POST", url, headers: new Headers(headers), text: async () => "" }
}

const code = (
  headers: Record<string, string>,
  address: typeof loopback | typeof socket,
  token: string | null,
) => guard(ask({ host: "127.0.0.1:9900", ...headers }), { address, token })?.code ?? null

describe("without a token", () => {
  test.each([
    [loopback, null],
    [socket, null],
    [{ host: "::1", port: 1 }, null],
    [open, "no_token"],
    [{ host: "10.0.0.1", port: 1 }, "no_token"],
  ] as const)("%j: %p", (address, refused) => expect(code({}, address, null)).toBe(refused))
})

describe("with a token", () => {
  test.each([
    [`Bearer ${TOKEN}`, null],
    [`bearer ${TOKEN}`, null],
    [`Basic ${TOKEN}`, "unauthorized"],
    [TOKEN, "unauthorized"],
    [`Bearer ${TOKEN}0`, "unauthorized"],
    [`Bearer ${TOKEN.slice(1)}`, "unauthorized"],
    ["", "unauthorized"],
  ])("Authorization: %s", (authorization, refused) => {
    for (const address of [loopback, open, socket]) {
      expect(code({ authorization }, address, TOKEN)).toBe(refused)
    }
  })
})

describe("a page of another site", () => {
  test.each([
    [{ origin: "http://127.0.0.1:9900" }, null],
    [{ origin: "http://evil.test" }, "bad_origin"],
    [{ origin: "null" }, "bad_origin"],
    [{ "sec-fetch-site": "same-origin" }, null],
    [{ "sec-fetch-site": "none" }, null],
    [{ "sec-fetch-site": "same-site" }, "bad_origin"],
    [{ "sec-fetch-site": "cross-site" }, "bad_origin"],
    [{ host: "evil.test:9900", origin: "http://evil.test:9900" }, "bad_host"],
    [{ host: "127.0.0.1.evil.test" }, "bad_host"],
    [{ host: "LOCALHOST:9900" }, null],
    [{ host: "[::1]:9900" }, null],
    [{ host: "127.9.9.9" }, null],
  ] as const)("%j", (headers, refused) => {
    expect(code(headers, loopback, null)).toBe(refused)
    // A token does not excuse it.
    expect(code({ ...headers, authorization: `Bearer ${TOKEN}` }, loopback, TOKEN)).toBe(refused)
  })
})

test("Host counts only where a name could be made to point to this machine alone", () => {
  const request = ask({ host: "bunlb.example.com" })
  expect(judgeHost(request, loopback)?.code).toBe("bad_host")
  expect(judgeHost(request, open)).toBeNull()
  expect(judgeHost(request, socket)).toBeNull()
})
