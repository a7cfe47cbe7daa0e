/** What `check --print` shows: a file that says the same, the origin of each value, and no secret. */
import { expect, test } from "bun:test"
import { parseConfig } from "../../src/config/file/config-tree.ts"
import { effectiveConfiguration, effectiveValues } from "../../src/config/effective.ts"
import { resolve } from "../../src/config/resolve.ts"
import { settingRows } from "../../src/config/schema/schema.ts"

const nothing = {
  flags: new Map(),
  environment: {},
  machine: { cpus: 2, platform: "linux" },
}

const texts = [
  "",
  "backends: [a:80]\nadmin: off",
  `backends:
  - a:443,weight=3
  - http://b:443
  - c:8443,tls,backup
  - { host: "::1", port: 8443, tls: true, ca: "my ca.pem" }
trusted_proxies: [10.0.0.0/8, "::1"]
host_header: example.com
health: { expect: [200, 3xx, 401-403], path: "/a:b#c", host: "probe:81" }
sticky: { secure: on, max_age: 90m, cookie: "#1" }
limits: { head_bytes: 7k }
timeouts: { drain: 0 }
pin: false`,
  'backends: [a:80]\nhealth: { host: "null" }\nsticky: { cookie: "0x10" }',
]

const records = [
  `backends: [a:80]
listeners: { web: ":80", "0": { address: 'unix:/run/x', socket_mode: "0660", pool: api } }
pools: { api: ["b:80,weight=2"] }`,
  `listeners: { default: { address: ":80", pool: api, trusted_proxies: 10.0.0.0/8 } }
pools:
  api: { backends: [{ host: b, port: 81 }], strategy: weighted, health: { path: /x, expect: 2xx } }
  default: { backends: [c:80], pool: { idle: 7 }, pool.max_age: 9s, timeouts.connect: 1s }`,
]

test.each(texts)("what is printed reads as what it was made of: %#", (text) => {
  const made = resolve({ ...nothing, file: parseConfig("a.yaml", text, "yaml") })
  const printed = parseConfig("b.yaml", effectiveConfiguration(made), "yaml")
  const again = resolve({ ...nothing, file: printed })
  expect(again.settings).toEqual(made.settings)
  expect(settingRows.map(({ key }) => again.origins.get(key))).not.toContain("default")
})

test.each(records)("so are records, with all short forms spelled out: %#", (text) => {
  const made = resolve({ ...nothing, file: parseConfig("a.yaml", text, "yaml") })
  const printed = effectiveConfiguration(made)
  const again = resolve({ ...nothing, file: parseConfig("b.yaml", printed, "yaml") })
  expect(again.settings).toEqual(made.settings)
  expect(printed).not.toMatch(/^(port|host):/m)
})

test("each value of a record has its origin behind it", () => {
  const text = `backends: [a:80]
listeners:
  web: ":80"
  mesh:
    address: 10.0.0.1:81
    pool: api
pools:
  api: [b:80]
  big:
    backends:
      - c:80
    sticky: { key: "0123456789abcdef", max_age: 1h }
`
  const made = resolve({ ...nothing, file: parseConfig("a.yaml", text, "yaml") })
  expect(effectiveConfiguration(made)).toEndWith(`
listeners:  # a.yaml:2:1
  web:
    address: ":80"  # a.yaml:3:3
    pool: default  # default
  mesh:
    address: "10.0.0.1:81"  # a.yaml:5:5
    pool: api  # a.yaml:6:5
pools:  # a.yaml:7:1
  api:
    backends:  # a.yaml:8:3
      - "b:80"
  big:
    backends:  # a.yaml:10:5
      - "c:80"
    sticky:
      max_age: 1h  # a.yaml:12:40
      key: "***"  # a.yaml:12:15`)
  const { pools, port } = effectiveValues(made)
  expect(pools).toEqual({
    value: {
      api: { backends: ["b:80"] },
      big: { backends: ["c:80"], "sticky.max_age": "1h", "sticky.key": '"***"' },
    },
    from: "a.yaml:7:1",
  })
  expect(port).toBeDefined()
})

test("records of flags have those for their origin", () => {
  const flags = new Map([
    ["listeners", ["web=:80,pool=api"]],
    ["pools", ["api=b:80"]],
  ] as const)
  const made = resolve({ ...nothing, file: null, flags })
  expect(effectiveConfiguration(made)).toEndWith(`
listeners:  # --listen
  web:
    address: ":80"  # --listen
    pool: api  # --listen
pools:  # --pool
  api:
    backends:  # --pool
      - "b:80"`)
})

test("each value has its origin behind it", () => {
  const file = parseConfig("a.yaml", "port: 81\nhealth:\n  path: /x\n", "yaml")
  const environment = { BUNLB_BACKENDS: "a:80,weight=2" }
  const flags = new Map([["workers", ["3"]]] as const)
  const lines = effectiveConfiguration(resolve({ ...nothing, file, environment, flags }))
  expect(lines).toStartWith(`backends:  # BUNLB_BACKENDS
  - "a:80,weight=2"
port: 81  # a.yaml:1:1
host: 0.0.0.0  # default
admin: "127.0.0.1:9900"  # default
admin_token: null  # default
half_close: false  # default
watch: false  # default
mode: mp  # default
workers: 3  # --workers
`)
  expect(lines).toContain('\nhealth:\n  type: http  # default\n  path: "/x"  # a.yaml:3:3\n')
})

test("a secret is masked", () => {
  const made = resolve({ ...nothing, file: parseConfig("a.yaml", "host_header: hush", "yaml") })
  const rows = settingRows.map((row) => ({
    ...row,
    setting: { ...row.setting, secret: true as const },
  }))
  const printed = effectiveConfiguration(made, rows)
  expect(printed).toContain('host_header: "***"')
  expect(printed).toContain("\n  host: null")
  expect(printed).not.toContain("hush")
})
