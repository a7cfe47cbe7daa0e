/** Scenarios 30 and 31: which host is asked for, and that a path arrives with the bytes it was sent with. */
import { describe, expect, test } from "bun:test"
import { fieldOf, valuesOf } from "../support/messages.ts"
import { Stage, type Seen } from "./driver.ts"

const request = (line: string, ...lines: string[]): string => [line, ...lines, "", ""].join("\r\n")

test.each([
  ["GET /a HTTP/1.1", "host:"],
  ["GET /a HTTP/1.1", "host:\t"],
  ["GET http://host:/a HTTP/1.1", "other:"],
])("30: an empty port goes on as no port: %s, Host: %s", async (line, host) => {
  using stage = await Stage.open()
  await stage.serves(request(line, `Host: ${host}`), ({ fields, target }) => {
    const hosts = ["host", "x-forwarded-host"].map((name) => valuesOf(fields, name))
    expect([target, hosts]).toEqual(["/a", [["host"], ["host"]]])
  })
})

describe("30: a Host is refused when it is", () => {
  const bad: readonly [what: string, text: string, reason: string][] = [
    ["missing", request("GET / HTTP/1.1", "A: b"), "host_missing"],
    ["there twice", request("GET / HTTP/1.1", "Host: a", "Host: b"), "host_repeated"],
    ["there twice, the same", request("GET / HTTP/1.1", "Host: a", "host: a"), "host_repeated"],
    ["there twice in HTTP/1.0", request("GET / HTTP/1.0", "Host: a", "Host: a"), "host_repeated"],
    ["missing beside an absolute target", request("GET http://a/ HTTP/1.1"), "host_missing"],
    [
      "named by Connection and missing",
      request("GET / HTTP/1.1", "Connection: Host"),
      "host_missing",
    ],
  ]
  test.each(bad)("%s", async (_what, text, reason) => {
    using stage = await Stage.open()
    await stage.refuses(text, { status: 400, reason })
  })

  const hosts = [
    "",
    "host:x",
    "host::",
    "host:65536",
    "host:-1",
    "host:80:80",
    "user@host",
    "user:pass@host:80",
    "a b",
    "a,b",
    "a/b",
    "a?b",
    "a#b",
    "a\\b",
    "a%00b",
    ":80",
    "[::1",
    "::1",
    "[]",
    "[::1]x",
    "[::1]:x",
    "[fe80::1%25eth0]",
    "h\xf6st",
    "http://host",
  ]
  test.each(hosts)("%p", async (host) => {
    using stage = await Stage.open()
    const refusal = { status: 400, reason: "host_invalid" }
    await stage.refuses(request("GET / HTTP/1.1", `Host: ${host}`), refusal)
  })

  test.each(["http://user@host/", "http:///", "http://?q", "http://host:x/", "http://a\\b/"])(
    "in the target: %p",
    async (target) => {
      using stage = await Stage.open()
      const refusal = { status: 400, reason: "host_invalid" }
      await stage.refuses(request(`GET ${target} HTTP/1.1`, "Host: a"), refusal)
    },
  )
})

describe("30: a Host is passed on as it came:", () => {
  const hosts = [
    "app.example",
    "APP.Example",
    "app.example.",
    "app.example:8080",
    "a_b-c~1",
    "10.0.0.1:80",
    "[::1]",
    "[2001:DB8::1]:8080",
    "xn--hst-sna.example",
  ]
  test.each(hosts)("%s", async (host) => {
    using stage = await Stage.open()
    await stage.serves(request("GET / HTTP/1.1", `Host:  ${host} `), ({ fields }) => {
      expect(valuesOf(fields, "host")).toEqual([host])
      expect(fieldOf(fields, "x-forwarded-host")).toBe(host)
    })
  })

  test("the one of the target wins over the field, which is written anew", async () => {
    using stage = await Stage.open()
    for (const scheme of ["http", "HTTP", "https"]) {
      const text = request(`GET ${scheme}://Right.example:81/p?q HTTP/1.1`, "Host: wrong", "A: b")
      await stage.serves(text, ({ target, fields }) => {
        expect(target).toBe("/p?q")
        expect(valuesOf(fields, "host")).toEqual(["Right.example:81"])
        expect(fieldOf(fields, "x-forwarded-host")).toBe("Right.example:81")
        expect(fieldOf(fields, "a")).toBe("b")
      })
    }
  })

  test("a request of HTTP/1.0 without one gets the backend's", async () => {
    using stage = await Stage.open()
    const text = request("GET / HTTP/1.0", "Connection: keep-alive")
    await stage.serves(text, ({ fields }) => {
      expect(valuesOf(fields, "host")).toEqual([`127.0.0.1:${stage.backend.port}`])
      expect(fieldOf(fields, "x-forwarded-host")).toBeNull()
      expect(fieldOf(fields, "via")).toBeNull()
    })
  })

  test("unless host_header says another, and then X-Forwarded-Host still tells", async () => {
    using stage = await Stage.open({ hostHeader: "inner.example" })
    await stage.serves(request("GET / HTTP/1.1", "Host: outer"), ({ fields }) => {
      expect(valuesOf(fields, "host")).toEqual(["inner.example"])
      expect(fieldOf(fields, "x-forwarded-host")).toBe("outer")
    })
  })

  test("more than 100 of them, each to its own request", async () => {
    using stage = await Stage.open()
    const client = await stage.connect()
    const hosts = Array.from({ length: 150 }, (_, index) => `route-${index}.example`)
    await client.send(
      hosts.map((host) => request(`GET /${host} HTTP/1.1`, `Host: ${host}`)).join(""),
    )
    for (const host of hosts) {
      expect((await client.receiveResponse()).body.toString()).toBe(`/${host}`)
    }
    expect(stage.backend.requests.map(({ field }) => field("host"))).toEqual(hosts)
  })
})

describe("31: a path is passed on byte for byte:", () => {
  const paths = [
    "/%2F",
    "/%2f%2F/",
    "/%2e%2e/%2E%2e",
    "//",
    "//evil.example/a",
    "///a//b/",
    "/;x",
    "/..;/manager",
    "/a/../b",
    "/./a/.",
    "/..",
    "/a\\..\\b",
    "/%",
    "/%zz",
    "/%0",
    "/%00",
    "/%0d%0aX:%20y",
    "/%23",
    "/a?b=/../c&d=%2e%2e",
    "/a?b?c??",
    "/?",
    "/a|b^c{d}`<e>\"'",
    "/a@b:80",
    "/http://other/",
    "/*",
    "/~!$&'()*+,;=:@",
  ]
  test.each(paths)("%s", async (path) => {
    using stage = await Stage.open()
    const text = request(`GET ${path} HTTP/1.1`, "Host: x")
    await stage.serves(text, ({ target, head }) => {
      expect(target).toBe(path)
      expect(head).toStartWith(`GET ${path} HTTP/1.1\r\n`)
    })
  })

  const absolute: readonly [target: string, path: string, method: string][] = [
    ["http://h", "/", "GET"],
    ["http://h?q", "/?q", "GET"],
    ["http://h/", "/", "GET"],
    ["http://h/..%2f//x", "/..%2f//x", "GET"],
    ["http://h", "*", "OPTIONS"],
    ["http://h?q", "/?q", "OPTIONS"],
    ["*", "*", "OPTIONS"],
  ]
  test.each(absolute)("%s as %s with %s", async (target, path, method) => {
    using stage = await Stage.open()
    const check = (seen: Seen): void => expect(seen.target).toBe(path)
    await stage.serves(request(`${method} ${target} HTTP/1.1`, "Host: h"), check, [method])
  })

  const refused = [
    "/a#b",
    "/#",
    "http://h/#a",
    "/\xe4",
    "/\xff",
    "/a\x7f",
    "/\t",
    "a",
    "a/b",
    "h:80",
    "?q",
    "..",
    "\\",
    "*",
    "**",
    "*/",
    "ftp://h/",
    "http:/h/",
    "http:h",
    "http//h/",
    "javascript:alert(1)",
  ]
  test.each(refused)("but %p is refused", async (target) => {
    using stage = await Stage.open()
    const text = request(`GET ${target} HTTP/1.1`, "Host: x")
    await stage.refuses(text, { status: 400, reason: "target" })
  })
})
