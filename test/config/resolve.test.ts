/** From everything that was said to settings: order, places of faults, the older balancer's file. */
import { describe, expect, test } from "bun:test"
import { BunlbError } from "../../src/core/errors.ts"
import { parseConfig, type FileFormat } from "../../src/config/file/config-tree.ts"
import { defaultSettings, resolveSettings, type FlagValues } from "../../src/config/resolve.ts"
import { withBackends } from "../../src/config/schema/pools.ts"
import type { SettingKey } from "../../src/config/schema/setting.ts"
import type { Settings } from "../../src/config/schema/settings.ts"

const machine = { cpus: 2, platform: "linux" }

interface Said {
  readonly text?: string
  readonly format?: FileFormat
  readonly flags?: readonly [SettingKey, readonly string[] | boolean][]
  readonly environment?: Readonly<Record<string, string>>
}

function settings({ text, format = "yaml", flags = [], environment = {} }: Said): Settings {
  const file = text === undefined ? null : parseConfig(`bunlb.${format}`, text, format)
  const values: FlagValues = new Map(flags)
  return resolveSettings({ file, flags: values, environment, machine })
}

function faults(said: Said): string[] {
  try {
    settings(said)
  } catch (error) {
    if (error instanceof BunlbError) return [error.code, ...error.message.split("\n")]
    throw error
  }
  return []
}

test("the file of the older balancer works as it is", () => {
  const text = '{"backends":[{"host":"127.0.0.1","port":9001,"weight":2},{"host":"b","port":9002}]}'
  const backends = [
    {
      name: "127.0.0.1:9001",
      host: "127.0.0.1",
      port: 9001,
      tls: false,
      weight: 2,
      backup: false,
      ca: null,
    },
    { name: "b:9002", host: "b", port: 9002, tls: false, weight: 1, backup: false, ca: null },
  ]
  expect(settings({ text, format: "json" })).toEqual(
    withBackends(defaultSettings(machine), "default", backends),
  )
})

test("YAML, TOML and JSON say the same", () => {
  const yaml = `
port: 81
trusted_proxies: [10.0.0.0/8]
health: { interval: 2s, expect: [200, 3xx] }
backends:
  - a:80,weight=2
  - host: b
    port: 81
`
  const toml = `
port = 81
trusted_proxies = "10.0.0.0/8"
backends = ["a:80,weight=2", { host = "b", port = 81 }]
[health]
interval = "2s"
expect = [200, "300-399"]
`
  const json = `{ "port": "81", "trusted_proxies": ["10.0.0.0/8"],
    "health": { "interval": "2000ms", "expect": "200,3xx" },
    "backends": [{ "host": "a", "port": 80, "weight": 2 }, "b:81"] }`
  const read = settings({ text: yaml })
  expect(read.health.expect).toEqual([
    [200, 200],
    [300, 399],
  ])
  expect(settings({ text: toml, format: "toml" })).toEqual(read)
  expect(settings({ text: json, format: "json" })).toEqual(read)
})

test("flags win over the file, the file over defaults, and lists are replaced", () => {
  const text = "port: 81\nworkers: 3\nbackends: [a:80, b:80]\nhealth: { path: /x, interval: 9s }"
  const read = settings({
    text,
    flags: [
      ["port", ["82"]],
      ["backends", ["c:80"]],
      ["health.interval", ["1s"]],
      ["pin", false],
    ],
  })
  expect(read).toMatchObject({ port: 82, workers: 3, strategy: "round_robin", pin: false })
  expect(read.backends.map(({ name }) => name)).toEqual(["c:80"])
  expect(read.health).toMatchObject({ path: "/x", interval: 1_000, timeout: 2_000 })
})

test("a trace is shown unless a level was asked for", () => {
  expect(settings({ flags: [["trace", true]] }).logLevel).toBe("debug")
  expect(settings({ text: "tls_trace: true" }).logLevel).toBe("debug")
  expect(settings({ text: "log_level: warn", flags: [["trace", true]] }).logLevel).toBe("warn")
  expect(settings({ flags: [["trace", false]] }).logLevel).toBe("info")
})

test("the environment fills strings, which become what the setting wants", () => {
  const text = "port: ${PORT}\nbackends:\n  - ${UPSTREAM:-a:80}\n  - { host: b, port: '${PORT}' }"
  const read = settings({ text, environment: { PORT: "81" } })
  expect(read.port).toBe(81)
  expect(read.backends.map(({ name }) => name)).toEqual(["a:80", "b:81"])
})

test("keys may be dotted, and a group may be empty", () => {
  expect(settings({ text: "health.path: /x\npool:\n" }).health.path).toBe("/x")
})

describe("faults", () => {
  test("all are told, in the order of the file, then the flags", () => {
    const text = `port: \${PORT}
heatlh: 1
backends:
- 127.0.0.1:9001
- host: a
  wieght: 2
- { host: b, port: 80, weight: 0 }
health: { pth: /, interval: 5 }
timeouts:
  connect: 1s
  connect: 2s
`
    expect(faults({ text, environment: { PROT: "1" }, flags: [["workers", ["many"]]] })).toEqual([
      "BUNLB_E_CONFIG",
      "config: bunlb.yaml:1:1: port: the environment has no PORT, did you mean PROT?",
      'config: bunlb.yaml:2:1: heatlh: unknown key, did you mean "health"?',
      "config: bunlb.yaml:5:3: backends[1]: has no port, add one such as port: 80",
      'config: bunlb.yaml:6:3: backends[1].wieght: unknown key, did you mean "weight"?',
      "config: bunlb.yaml:7:24: backends[2].weight: expected a whole number from 1 to 1000, " +
        "got 0, to send it no requests use drain",
      'config: bunlb.yaml:8:11: health.pth: unknown key, did you mean "path"?',
      "config: bunlb.yaml:8:19: health.interval: 5 has no unit, write 5ms, 5s, 5m or 5h",
      "config: bunlb.yaml:11:3: timeouts.connect: is there twice",
      '--workers: expected a whole number from 1 to 256, got "many"',
    ])
  })

  test.each<[string, string, FileFormat, string]>([
    [
      "not a mapping",
      "- a:80",
      "yaml",
      'expected settings such as "port: 80", got ["a:80"], a list or several documents (---)',
    ],
    ["a text", "hello", "yaml", 'expected settings such as "port: 80", got "hello"'],
    [
      "two documents",
      "port: 1\n---\nport: 2",
      "yaml",
      'expected settings such as "port: 80", got [{"port":1},{"port":2}], ' +
        "a list or several documents (---)",
    ],
  ])("%s", (_, text, format, fault) => {
    expect(faults({ text, format })).toEqual(["BUNLB_E_CONFIG", `config: bunlb.yaml: ${fault}`])
  })

  test.each<[string, string]>([
    ["backends: a:80", '1:1: backends: expected a list of backends, got "a:80", write ["a:80"]'],
    ["health: 5s", '1:1: health: expected keys under it (type, path, interval ...), got "5s"'],
    [
      "health:\n  path:\n    x: 1",
      '2:3: health.path: expected a path that begins with "/", got {"x":1}',
    ],
    ["port:", "1:1: port: expected a whole number from 0 to 65535, got null"],
    ["Port: 80", '1:1: Port: unknown key, did you mean "port"?'],
    ["timeout:\n  connect: 1s", '1:1: timeout: unknown key, did you mean "timeouts"?'],
    ["timeouts:\n  conect: 1s", '2:3: timeouts.conect: unknown key, did you mean "connect"?'],
    ["zzz: 1", "1:1: zzz: unknown key"],
    ["__proto__: { port: 1 }", "1:1: __proto__: unknown key"],
    [
      "strategy: wieghted",
      "1:1: strategy: expected round_robin, random, weighted or sticky, " +
        'got "wieghted", did you mean "weighted"?',
    ],
    ["sticky: { cookie: 'a b' }", '1:11: sticky.cookie: expected a cookie name, got "a b"'],
    [
      "limits: { head_bytes: 16 }",
      "1:11: limits.head_bytes: expected a size from 1KiB to 256KiB, got 16",
    ],
    [
      "trusted_proxies: [10.0.0.0/8, any]",
      '1:31: trusted_proxies[1]: expected an address or network such as 10.0.0.0/8, got "any"',
    ],
    ["backends: [a:80, a:80]", '1:18: backends[1]: "a:80" is there twice, keep one'],
  ])("%s", (text, fault) => {
    expect(faults({ text })).toEqual(["BUNLB_E_CONFIG", `config: bunlb.yaml:${fault}`])
  })

  test("flags alone are faults of usage", () => {
    const flags: Said["flags"] = [
      ["backends", ["a:80", "b"]],
      ["health.interval", ["5"]],
    ]
    expect(faults({ flags })).toEqual([
      "BUNLB_E_USAGE",
      '--backend: "b" has no port, write b:80',
      "--health-interval: 5 has no unit, write 5ms, 5s, 5m or 5h",
    ])
  })
})
