/** Listeners and pools of a file, the environment and flags: what is taken, what comes of it, and faults of one. */
import { describe, expect, test } from "bun:test"
import type { FileFormat } from "../../src/config/file/config-tree.ts"
import type { Settings } from "../../src/config/schema/settings.ts"
import { ADDRESS, faults, settings, type Said } from "./said.ts"

const YAML = `
health: { interval: 2s }
backends: [10.0.0.9:80]
listeners:
  web: ":80"
  mesh:
    address: 10.1.0.5:8000
    pool: api
    trusted_proxies: [10.1.0.0/24]
    timeouts: { client_idle: 5s }
  six: { address: "[::1]:81", half_close: on }
  sock: { address: unix:/run/x.sock, socket_mode: "0660" }
pools:
  api: ["10.0.0.1:80", "10.0.0.2:80,weight=2"]
  big:
    backends:
      - 10.0.0.3:80
      - host: 10.0.0.4
        port: 80
    strategy: sticky
    health: { path: /ready }
    pool.idle: 7
`
const TOML = `
backends = ["10.0.0.9:80"]
[health]
interval = "2s"
[listeners]
web = ":80"
sock = { address = "unix:/run/x.sock", socket_mode = "0660" }
[listeners.mesh]
address = "10.1.0.5:8000"
pool = "api"
trusted_proxies = ["10.1.0.0/24"]
timeouts.client_idle = "5s"
[listeners.six]
address = "[::1]:81"
half_close = true
[pools]
api = ["10.0.0.1:80", "10.0.0.2:80,weight=2"]
[pools.big]
strategy = "sticky"
[[pools.big.backends]]
host = "10.0.0.3"
port = 80
[[pools.big.backends]]
host = "10.0.0.4"
port = 80
[pools.big.health]
path = "/ready"
[pools.big.pool]
idle = 7
`
const JSON_TEXT = `{
  "health": { "interval": "2s" }, "backends": ["10.0.0.9:80"],
  "listeners": {
    "web": ":80", "sock": { "address": "unix:/run/x.sock", "socket_mode": "660" },
    "six": { "address": "[::1]:81", "half_close": true },
    "mesh": { "address": "10.1.0.5:8000", "pool": "api", "trusted_proxies": "10.1.0.0/24",
      "timeouts": { "client_idle": "5s" } } },
  "pools": {
    "api": ["10.0.0.1:80", { "host": "10.0.0.2", "port": 80, "weight": 2 }],
    "big": { "backends": ["10.0.0.3:80", "10.0.0.4:80"], "strategy": "sticky",
      "health": { "path": "/ready" }, "pool": { "idle": 7 } } }
}`

describe("what is taken", () => {
  test("each record has its own values, and those of the top level for the rest", () => {
    const { listeners, pools, backends } = settings({ text: YAML })
    expect(listeners).toMatchObject([
      { name: "web", host: "", port: 80, pool: "default", trustedProxies: [], halfClose: false },
      {
        ...{ name: "mesh", host: "10.1.0.5", port: 8000, pool: "api" },
        trustedProxies: ["10.1.0.0/24"],
        timeouts: { clientIdle: 5_000, clientHead: 10_000 },
      },
      { name: "six", host: "::1", port: 81, halfClose: true, timeouts: { clientIdle: 75_000 } },
      { name: "sock", path: "/run/x.sock", pool: "default", socketMode: 0o660 },
    ])
    expect(pools.map(({ name }) => name)).toEqual(["default", "api", "big"])
    expect(backends).toEqual(pools[0]?.backends ?? [])
    expect(pools[1]).toMatchObject({
      backends: [{ name: "10.0.0.1:80" }, { name: "10.0.0.2:80", weight: 2 }],
      strategy: "round_robin",
      health: { path: "/", interval: 2_000 },
      connections: { idle: 512 },
    })
    expect(pools[2]).toMatchObject({
      backends: [{ name: "10.0.0.3:80" }, { name: "10.0.0.4:80" }],
      strategy: "sticky",
      health: { path: "/ready", interval: 2_000 },
      connections: { idle: 7, maxAge: 300_000 },
    })
  })

  test("YAML, TOML and JSON say the same", () => {
    const inOrder = ({ listeners, ...rest }: Settings) => ({
      ...rest,
      listeners: listeners.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    })
    const read = inOrder(settings({ text: YAML }))
    expect(inOrder(settings({ text: TOML, format: "toml" }))).toEqual(read)
    expect(inOrder(settings({ text: JSON_TEXT, format: "json" }))).toEqual(read)
  })

  test("flags and the environment say it in words", () => {
    const text = `{ listeners: { web: { address: ":80", pool: api }, default: ":81" },
      pools: { api: ["a:80,weight=2", b:80], default: [c:80] } }`
    const read = settings({ text })
    const flags: Said["flags"] = [
      ["listeners", ["web=:80,pool=api", ":81"]],
      ["pools", ["api=a:80,weight=2 b:80", "default=c:80"]],
    ]
    expect(settings({ flags })).toEqual(read)
    const environment = {
      BUNLB_LISTENERS: "web=:80,pool=api :81",
      BUNLB_POOLS: "api=a:80,weight=2;b:80  default=c:80",
    }
    expect(settings({ environment })).toEqual(read)
  })

  test("the flat backends are the pool default, however they are said", () => {
    const flat = settings({ text: "backends: [a:80]" })
    expect(settings({ text: "pools: { default: [a:80] }" })).toEqual(flat)
    expect(settings({ text: "pools: { default: { backends: [a:80] } }" })).toEqual(flat)
  })

  test("without flat backends there is no pool default", () => {
    const { pools, backends } = settings({
      text: '{ listeners: { web: { address: ":80", pool: api } }, pools: { api: [a:80] } }',
    })
    expect(pools.map(({ name }) => name)).toEqual(["api"])
    expect(backends).toEqual([])
  })

  test("a file of which nothing is said is the flat one", () => {
    const flat = settings({ text: "backends: [a:80]" })
    expect(settings({ text: "backends: [a:80]\npools:\nlisteners: {}" })).toEqual(flat)
  })

  test("a list of a pool takes the place of that of the top level", () => {
    const text = `{ health: { expect: [200, 3xx] }, backends: [a:80],
      pools: { api: { backends: [b:80], health: { expect: 204 } } } }`
    expect(settings({ text }).pools[1]?.health.expect).toEqual([[204, 204]])
  })

  test("the environment fills values inside records", () => {
    const text = "backends: ['${A}']\npools: { api: ['${A}', { host: b, port: '${P:-81}' }] }"
    const { pools } = settings({ text, environment: { A: "a:80" } })
    expect(pools[1]?.backends.map(({ name }) => name)).toEqual(["a:80", "b:81"])
  })

  test.each([
    ["backends: [a:80]\npools: { api: [b:80] }", "bunlb", "bunlb_api"],
    ["backends: [a:80]\npools: { api: [b:80] }\nsticky: { cookie: sid }", "sid", "sid_api"],
    [
      "backends: [a:80]\npools: { api: { backends: [b:80], sticky: { cookie: own } } }",
      "bunlb",
      "own",
    ],
  ])("pools have cookies of their own: %s", (text, main, other) => {
    expect(settings({ text }).pools.map(({ sticky }) => sticky.cookie)).toEqual([main, other])
  })
})

describe("faults of one record, with their places", () => {
  test.each<[string, string]>([
    [
      "listeners: 80",
      'x.yaml:1:1: listeners: expected a name for each listener: web: ":80", got 80',
    ],
    [
      'listeners: [":80"]',
      'x.yaml:1:1: listeners: expected a name for each listener: web: ":80", got [":80"], ' +
        "names are keys and not entries of a list",
    ],
    [
      "pools: [a:80]",
      'x.yaml:1:1: pools: expected a name for each pool: api: ["10.0.0.1:80", "10.0.0.2:80"], ' +
        'got ["a:80"], names are keys and not entries of a list',
    ],
    [
      "listeners: { w: { address: ':80', pools: api } }",
      'x.yaml:1:35: listeners.w.pools: unknown key, did you mean "pool"?',
    ],
    [
      "listeners: { w: { address: ':80', protocols: [h2] } }",
      "x.yaml:1:35: listeners.w.protocols: unknown key, bunlb speaks HTTP/1.1 only",
    ],
    [
      "listeners: { w: { address: ':80', trusted_proxies: any } }",
      "x.yaml:1:35: listeners.w.trusted_proxies[0]: " +
        'expected an address or network such as 10.0.0.0/8, got "any"',
    ],
    ["listeners: { w: 80 }", `x.yaml:1:14: listeners.w: ${ADDRESS}, got 80, write ":80"`],
    ["listeners: { w: '*:80' }", `x.yaml:1:14: listeners.w: ${ADDRESS}, got "*:80", write ":80"`],
    ["listeners: { w: a.com:80 }", `x.yaml:1:14: listeners.w: ${ADDRESS}, got "a.com:80"`],
    ["listeners: { w: 10.0.0.1 }", `x.yaml:1:14: listeners.w: ${ADDRESS}, got "10.0.0.1"`],
    ["listeners: { w: '::1:80' }", `x.yaml:1:14: listeners.w: ${ADDRESS}, got "::1:80"`],
    ["listeners: { w: ':70000' }", `x.yaml:1:14: listeners.w: ${ADDRESS}, got ":70000"`],
    ["listeners: { w: 'unix:x' }", `x.yaml:1:14: listeners.w: ${ADDRESS}, got "unix:x"`],
    [
      "listeners: { w: 'unix:/x/' }",
      "x.yaml:1:14: listeners.w: expected the name of a socket, such as unix:/run/bunlb/admin.sock",
    ],
    ["listeners:\n  w:", 'x.yaml:2:3: listeners.w: has no address, write such as web: ":80"'],
    [
      "listeners:\n  w: { pool: api }",
      'x.yaml:2:3: listeners.w: has no address, write such as web: ":80"',
    ],
    [
      "listeners:\n  Web: ':80'",
      'x.yaml:2:3: listeners.Web: "Web" is no name of a listener: it has up to 63 of a-z, 0-9, ' +
        '_ and -, such as "web"',
    ],
    [
      "pools: { -a: [b:80] }",
      'x.yaml:1:10: pools.-a: "-a" is no name of a pool: it has up to 63 of a-z, 0-9, _ and -',
    ],
    [
      "listeners:\n  w:\n    adress: ':80'",
      'x.yaml:3:5: listeners.w.adress: unknown key, did you mean "address"?',
    ],
    [
      "listeners:\n  w: { address: ':80', port: 80 }",
      'x.yaml:2:24: listeners.w.port: unknown key, here it is "address"',
    ],
    [
      "listeners:\n  w: { address: ':80', strategy: random }",
      "x.yaml:2:24: listeners.w.strategy: unknown key, " +
        "it is a setting of pools and of the top level",
    ],
    [
      "listeners:\n  w: { address: ':80', workers: 2 }",
      "x.yaml:2:24: listeners.w.workers: unknown key, it belongs at the top level",
    ],
    [
      "listeners:\n  w: { address: ':80', backends: [a:80] }",
      "x.yaml:2:24: listeners.w.backends: unknown key, " +
        'a listener names the pool whose backends serve it: "pool"',
    ],
    [
      "listeners:\n  w: { address: ':80', tls: true }",
      "x.yaml:2:24: listeners.w.tls: unknown key, " +
        "bunlb does not terminate client TLS yet, put it behind something that does",
    ],
    [
      "listeners:\n  w: { address: ':80', pool: A }",
      'x.yaml:2:24: listeners.w.pool: "A" is no name of a pool: it has up to 63 of a-z, 0-9, ' +
        '_ and -, such as "a"',
    ],
    [
      "listeners:\n  w:\n    address: ':80'\n    timeouts:\n      client_idel: 1s",
      'x.yaml:5:7: listeners.w.timeouts.client_idel: unknown key, did you mean "client_idle"?',
    ],
    [
      "listeners:\n  w:\n    address: ':80'\n    timeouts: { connect: 1s }",
      "x.yaml:4:17: listeners.w.timeouts.connect: unknown key, " +
        "it is a setting of pools and of the top level",
    ],
    [
      "listeners: { w: { address: 'unix:/x', socket_mode: 0660 } }",
      "x.yaml:1:39: listeners.w.socket_mode: " +
        'expected permissions in octal and in quotes, such as "0660", got 660',
    ],
    [
      "pools: { a: b:80 }",
      'x.yaml:1:10: pools.a: expected a list of backends, got "b:80", write ["b:80"]',
    ],
    ["pools: { a: [b:80, c] }", 'x.yaml:1:20: pools.a[1]: "c" has no port, write c:80'],
    [
      "pools: { a: { backends: [b:80, { host: c, port: 80, wieght: 2 }] } }",
      'x.yaml:1:53: pools.a.backends[1].wieght: unknown key, did you mean "weight"?',
    ],
    [
      "pools: { a: {} }",
      'x.yaml:1:10: pools.a: has no backends, write such as api: ["10.0.0.1:80", "10.0.0.2:80"]',
    ],
    [
      "pools:\n  a:\n    backends: [b:80]\n    health:\n      interval: 5",
      "x.yaml:5:7: pools.a.health.interval: 5 has no unit, write 5ms, 5s, 5m or 5h",
    ],
    [
      "pools: { a: { backends: [b:80], health: 5 } }",
      "x.yaml:1:33: pools.a.health: expected keys under it (type, path, interval ...), got 5",
    ],
    [
      "pools: { a: { backends: [b:80], health: { strategy: random } } }",
      "x.yaml:1:43: pools.a.health.strategy: unknown key, " +
        "it belongs under the pool and not under health",
    ],
    [
      "pools: { a: { backends: [b:80], trusted_proxies: 10.0.0.0/8 } }",
      "x.yaml:1:33: pools.a.trusted_proxies: unknown key, " +
        "it is a setting of listeners and of the top level",
    ],
    [
      "pools: { a: { servers: [b:80] } }",
      'x.yaml:1:15: pools.a.servers: unknown key, here it is "backends"',
    ],
    [
      "pools: { a: { backends: [b:80], balance: random } }",
      'x.yaml:1:33: pools.a.balance: unknown key, here it is "strategy"',
    ],
    [
      "pools: { a: { backends: [b:80], health: { fall: 2 } } }",
      'x.yaml:1:43: pools.a.health.fall: unknown key, here it is "health.failures"',
    ],
    [
      "pools: { a: { host: b, port: 80 } }",
      'x.yaml:1:15: pools.a.host: unknown key, here it is "backends"\n' +
        'config: x.yaml:1:24: pools.a.port: unknown key, here it is "backends"',
    ],
    [
      "backends: [x:80]\n" +
        "pools: { a: { backends: [b:80] }, a: { strategy: random, backends: [c:80] } }",
      "x.yaml:2:35: pools.a: is there twice",
    ],
    [
      "pools:\n  default:\n    backends: [b:80]\n    health: { path: /x }\n    health.path: /y",
      "x.yaml:5:5: pools.default.health.path: is there twice",
    ],
    [
      "pools: { a: ['${A}'] }",
      "x.yaml:1:14: pools.a[0]: the environment has no A, set it or write ${A:-default}",
    ],
    ["listener: { w: ':80' }", 'x.yaml:1:1: listener: unknown key, did you mean "listeners"?'],
    ["pool: { api: [a:80] }", 'x.yaml:1:9: pool.api: unknown key, did you mean "pools"?'],
    ["pool: { idel: 7 }", 'x.yaml:1:9: pool.idel: unknown key, did you mean "idle"?'],
    ["frontend: { w: ':80' }", 'x.yaml:1:1: frontend: unknown key, here it is "listeners"'],
    ["clusters: { w: [a:80] }", 'x.yaml:1:1: clusters: unknown key, here it is "pools"'],
  ])("%s", (text, fault) => {
    expect(faults({ text })).toEqual(`config: ${fault}`.split("\n"))
  })

  test.each<[FileFormat, string, string]>([
    [
      "toml",
      '[pools.api]\nbackends = ["a:80"]\n[pools.api.health]\npth = "/x"',
      'x.toml:4:1: pools.api.health.pth: unknown key, did you mean "path"?',
    ],
    [
      "toml",
      '[[pools.api.backends]]\nhost = "a"\nport = 80\n' +
        '[[pools.api.backends]]\nhost = "b"\nport = 81\nwieght = 2',
      'x.toml:7:1: pools.api.backends[1].wieght: unknown key, did you mean "weight"?',
    ],
    [
      "toml",
      '[listeners.web]\naddress = ":80"\nworkers = 2',
      "x.toml:3:1: listeners.web.workers: unknown key, it belongs at the top level",
    ],
    [
      "json",
      '{\n  "pools": {\n    "api": { "backends": ["a:80"], "health": { "pth": "/" } }\n  }\n}',
      'x.json:3:48: pools.api.health.pth: unknown key, did you mean "path"?',
    ],
    [
      "json",
      '{ "pools": { "a": ["b:80"], "a": ["c:80"] } }',
      "x.json:1:29: pools.a: is there twice",
    ],
  ])("%s: %s", (format, text, fault) => {
    expect(faults({ text, format })[0]).toBe(`config: ${fault}`)
  })

  test("there is a limit to their number", () => {
    const many = Array.from({ length: 65 }, (_, i) => `  l${i}: ":${i + 1}"`).join("\n")
    expect(faults({ text: `listeners:\n${many}` })).toEqual([
      "config: x.yaml:1:1: listeners: expected at most 64 listeners, got 65",
    ])
  })
})
