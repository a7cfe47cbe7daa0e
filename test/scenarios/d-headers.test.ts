/** Scenarios 27 to 29: fields for one hop, fields that say who the client is, and names that look like them. */
import { describe, expect, test } from "bun:test"
import { TestBalancer, type SettingsPart } from "../support/balancer.ts"
import { fieldOf, valuesOf } from "../support/messages.ts"
import { RawClient } from "../support/raw-client.ts"
import { answer } from "../support/scripted-backend.ts"
import { PATIENCE_MS, until } from "../support/until.ts"
import { Stage, someCutsOf, type Seen } from "./driver.ts"

const get = (...lines: string[]): string =>
  ["GET /a HTTP/1.1", "Host: app.example", ...lines, "", ""].join("\r\n")

/** What the backend reads of the client's identity. */
function identityOf({ fields }: Seen) {
  return {
    for: fieldOf(fields, "x-forwarded-for"),
    real: fieldOf(fields, "x-real-ip"),
    proto: fieldOf(fields, "x-forwarded-proto"),
    host: fieldOf(fields, "x-forwarded-host"),
  }
}

const peer = { for: "127.0.0.1", real: "127.0.0.1", proto: "http", host: "app.example" }

describe("27: what Connection names goes,", () => {
  const stays = (names: string) => async (): Promise<void> => {
    using stage = await Stage.open()
    await stage.serves(
      get(names, "X-Forwarded-For: 6.6.6.6", "Cookie: a=b", "X-Mine: 1"),
      (seen) => {
        expect(identityOf(seen)).toEqual(peer)
        expect(valuesOf(seen.fields, "host")).toEqual(["app.example"])
        expect(valuesOf(seen.fields, "connection")).toEqual([])
        expect(fieldOf(seen.fields, "bunlb-hops")).toBe("1")
        expect(fieldOf(seen.fields, "x-forwarded-port")).toBe("80")
        expect(fieldOf(seen.fields, "x-request-id")).toMatch(/^[0-9a-f]{32}$/)
      },
    )
  }

  test("but not the fields of bunlb", stays("Connection: X-Forwarded-For, X-Real-IP, Host, Cookie"))
  test(
    "nor those when named by halves",
    stays("Connection: x-forwarded-proto\r\nconnection: bunlb-hops ,, X-Request-Id"),
  )
  test("nor X-Forwarded-Host", stays("Connection: X-Forwarded-Host, keep-alive"))

  test("before anything is added, in any case and in several lines", async () => {
    using stage = await Stage.open()
    const lines = [
      "Cookie: a=b",
      "Connection: COOKIE ,\tX-One",
      "X-one: 1",
      "Connection: x-two",
      "X-Two: 2",
    ]
    await stage.serves(get(...lines, "X-Three: 3", "X-One: again"), ({ fields }) => {
      const names = ["cookie", "x-one", "x-two", "x-three"]
      expect(names.map((name) => valuesOf(fields, name))).toEqual([[], [], [], ["3"]])
    })
  })

  test("except the length of the body, which nobody can take away", async () => {
    using stage = await Stage.open()
    const head =
      "POST /a HTTP/1.1\r\nHost: x\r\nConnection: Content-Length, Transfer-Encoding, Host\r\n"
    const check = ({ body, fields }: Seen): void => {
      expect([body, fieldOf(fields, "host")]).toEqual(["hello", "x"])
    }
    await stage.serves(`${head}Content-Length: 5\r\n\r\nhello`, check, ["POST"])
    const chunks = "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    await stage.serves(head + chunks, check, ["POST"])
  })

  test("and close closes after the answer", async () => {
    using stage = await Stage.open()
    const client = await stage.connect()
    const lines = ["Connection: X-Forwarded-For, X-Real-IP, close, Host, Cookie", "Cookie: a=b"]
    const response = await client.exchange(get(...lines))
    expect([response.status, response.field("connection")]).toEqual([200, "close"])
    expect(await client.receiveRest()).toHaveLength(0)
    const seen = stage.backend.requests[0]
    expect([seen?.field("cookie"), seen?.field("host")]).toEqual([null, "app.example"])
    expect(seen?.field("connection")).toBeNull()
    await stage.bystander()
  })

  test("as all that is meant for one hop", async () => {
    using stage = await Stage.open()
    const lines = [
      "Keep-Alive: timeout=5",
      "Proxy-Connection: close",
      "TE: trailers",
      "HTTP2-Settings: x",
    ]
    await stage.serves(
      get(...lines, "Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings"),
      (seen) => {
        const text = seen.head.toLowerCase()
        for (const name of [
          "keep-alive",
          "proxy-connection",
          "\nte:",
          "http2-settings",
          "upgrade",
        ]) {
          expect(text).not.toContain(name)
        }
      },
    )
  })

  test("and goes from responses too", async () => {
    using stage = await Stage.open()
    const lines = [
      "Connection: X-Secret, keep-alive",
      "X-Secret: 1",
      "Keep-Alive: timeout=5",
      "X-Open: 2",
    ]
    stage.script = (connection) => connection.send(answer(200, "body", ...lines)).then(() => {})
    for (const version of ["1.1", "1.0"]) {
      const client = await stage.connect()
      const response = await client.exchange(`GET /scripted HTTP/${version}\r\nHost: x\r\n\r\n`)
      const names = ["x-secret", "keep-alive", "x-open", "connection"]
      const connection = version === "1.1" ? null : "close"
      expect(names.map((name) => response.field(name))).toEqual([null, null, "2", connection])
      expect(response.body.toString()).toBe("body")
    }
  })
})

const claims = [
  "X-Forwarded-For: 6.6.6.6",
  "x-forwarded-for: 7.7.7.7, 8.8.8.8",
  "X-Real-IP: 6.6.6.6",
  "X-Forwarded-Proto: https",
  "X-Forwarded-Host: evil.example",
  "Forwarded: for=6.6.6.6;host=evil.example;proto=https",
  "X-Forwarded-Prefix: /admin",
  "X-Forwarded-Port: 443",
  "X-Forwarded-Server: evil",
  "X-Forwarded-Scheme: https",
  "X-Forwarded-Ssl: on",
  "X-Request-Id: mine",
]

describe("28: what a client says of itself", () => {
  test("is replaced when nobody trusts it", async () => {
    using stage = await Stage.open({ trustedProxies: ["10.0.0.0/8"] })
    await stage.serves(get(...claims), (seen) => {
      expect(identityOf(seen)).toEqual(peer)
      // The id is random, and may hold any digits.
      const head = seen.head.replace(/^X-Request-Id:.*$/m, "")
      expect(head).not.toMatch(/6\.6\.6\.6|7\.7\.7\.7|evil|https|admin|443|mine/)
    })
  })

  const trusting: SettingsPart = { trustedProxies: ["127.0.0.0/8", "10.0.0.0/8", "fd00::/8"] }
  const chains: readonly [what: string, chain: string, real: string][] = [
    ["three hops", "6.6.6.6, 10.1.1.1, 10.2.2.2", "6.6.6.6"],
    ["an untrusted hop between", "1.1.1.1, 6.6.6.6, 10.2.2.2", "6.6.6.6"],
    ["trusted hops alone", "10.1.1.1, 10.2.2.2", "10.1.1.1"],
    ["IPv6", "2001:db8::1, fd00::2", "2001:db8::1"],
    ["IPv6 in brackets with a port", "[2001:db8::1]:443", "2001:db8::1"],
    ["a port", "6.6.6.6:1234, 10.2.2.2:80", "6.6.6.6"],
    ["junk at the end", "6.6.6.6, junk", "127.0.0.1"],
    ["junk behind a trusted hop", "6.6.6.6, <script>, 10.2.2.2", "10.2.2.2"],
    ["junk on the left of the client", "junk, 6.6.6.6", "6.6.6.6"],
    ["an address out of range", "6.6.6.6, 256.1.1.1", "127.0.0.1"],
    ["empty elements", "6.6.6.6, , 10.2.2.2", "6.6.6.6"],
    ["a trailing comma", "6.6.6.6,", "6.6.6.6"],
  ]

  test.each(chains)(
    "is read from the right when a proxy is trusted: %s",
    async (_what, chain, real) => {
      using stage = await Stage.open(trusting)
      await stage.serves(get(`X-Forwarded-For: ${chain}`, "X-Real-IP: 6.6.6.6"), (seen) => {
        const whole = `${chain.replaceAll(", ,", ",").replace(/,$/, "")}, 127.0.0.1`
        expect(identityOf(seen)).toEqual({ ...peer, for: whole, real })
        expect(valuesOf(seen.fields, "x-forwarded-for")).toHaveLength(1)
      })
    },
  )

  test("is read as one chain when a trusted proxy sends several lines", async () => {
    using stage = await Stage.open(trusting)
    const lines = [
      "X-Forwarded-For: 5.5.5.5",
      "x-forwarded-for: 6.6.6.6",
      "X-FORWARDED-FOR: 10.1.1.1",
    ]
    await stage.serves(get(...lines), (seen) => {
      const chain = "5.5.5.5, 6.6.6.6, 10.1.1.1, 127.0.0.1"
      expect(identityOf(seen)).toEqual({ ...peer, for: chain, real: "6.6.6.6" })
    })
  })

  test("of 10 KiB is passed on by a trusted proxy (every 331st cut)", async () => {
    using stage = await Stage.open(trusting)
    const chain = Array.from({ length: 1000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`).join(", ")
    const check = (seen: Seen): void => {
      expect(identityOf(seen)).toEqual({ ...peer, for: `${chain}, 127.0.0.1`, real: "10.0.0.0" })
    }
    const request = get(`X-Forwarded-For: ${chain}`)
    await stage.serves(request, check, ["GET"], someCutsOf(request, 331))
  })

  test("of 10 KiB is dropped when nobody trusts it (every 331st cut)", async () => {
    using stage = await Stage.open()
    const request = get(`X-Forwarded-For: ${"6".repeat(10_240)}`)
    const check = (seen: Seen): void => expect(identityOf(seen)).toEqual(peer)
    await stage.serves(request, check, ["GET"], someCutsOf(request, 331))
  })

  test("is believed of a trusted proxy: scheme, host, request id and the rest", async () => {
    using stage = await Stage.open(trusting)
    await stage.serves(get(...claims), (seen) => {
      const chain = "6.6.6.6, 7.7.7.7, 8.8.8.8, 127.0.0.1"
      const said = { for: chain, real: "8.8.8.8", proto: "https", host: "evil.example" }
      expect(identityOf(seen)).toEqual(said)
      expect(fieldOf(seen.fields, "x-request-id")).toBe("mine")
      expect(fieldOf(seen.fields, "x-forwarded-prefix")).toBe("/admin")
      expect(fieldOf(seen.fields, "forwarded")).toContain("for=6.6.6.6")
    })
  })

  test("is added by bunlb where a trusted proxy says nothing", async () => {
    using stage = await Stage.open(trusting)
    await stage.serves(get(), (seen) => expect(identityOf(seen)).toEqual(peer))
  })
})

describe("29: names that a careless backend takes for those of bunlb are dropped", () => {
  const aliases = [
    "X_Forwarded_For: 6.6.6.6",
    "X.Forwarded.For: 6.6.6.6",
    "x_forwarded-for: 6.6.6.6",
    "X-FORWARDED_FOR: 6.6.6.6",
    "X_Real_IP: 6.6.6.6",
    "X.Forwarded-Proto: https",
    "X_Forwarded_Host: evil.example",
    "X_Forwarded_Prefix: /admin",
    "Content_Length: 5",
    "Content.Length: 5",
    "Transfer_Encoding: chunked",
    "transfer.encoding: chunked",
    "X_Request_Id: mine",
    "Keep_Alive: 1",
  ]
  const evil = /6\.6\.6\.6|evil|admin|mine|encoding|length|alive/i

  test.each(aliases)("%s", async (alias) => {
    using stage = await Stage.open()
    const request = get("A_b.c: kept", alias, "X-Forwarded-For: 6.6.6.6")
    await stage.serves(request, (seen) => {
      expect(identityOf(seen)).toEqual(peer)
      expect(seen.head).not.toMatch(evil)
      expect([seen.framing, fieldOf(seen.fields, "a_b.c")]).toEqual(["none", "kept"])
    })
  })

  test("of a trusted proxy too", async () => {
    using stage = await Stage.open({ trustedProxies: ["127.0.0.1"] })
    await stage.serves(get(...aliases), (seen) => {
      expect(identityOf(seen)).toEqual(peer)
      expect(seen.head).not.toMatch(evil)
    })
  })
})

test("27: a request that goes round is answered with 508 after 9 times, and nothing is left of it", async () => {
  const one = await TestBalancer.start([1])
  const two = await TestBalancer.start([one.port])
  await one.apply([two.port])
  for (const method of ["GET", "POST"]) {
    const client = await RawClient.connect(one.port)
    const text = `${method} / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nround`
    const response = await client.exchange(text)
    expect([response.status, response.field("connection")]).toEqual([508, null])
    await client.close()
  }
  // What is left are idle connections from the one to the other.
  const busy = (): number =>
    one.figure("bunlb_backend_connections", 'state="active"') +
    two.figure("bunlb_backend_connections", 'state="active"')
  await until(() => busy() === 0, PATIENCE_MS, "rest")
  const refused = [one, two].map((each) =>
    each.figure("bunlb_rejected_requests_total", 'reason="loop"'),
  )
  expect(refused).toEqual([0, 2])
})
