/** What is legal and seldom wise. */
import { expect, test } from "bun:test"
import { defaultSettings, resolveSettings } from "../../src/config/resolve.ts"
import { withDefaults } from "../../src/config/schema/pools.ts"
import type { SettingKey } from "../../src/config/schema/setting.ts"
import type { StrategyName } from "../../src/config/schema/settings.ts"
import { warningsAbout } from "../../src/config/warnings.ts"
import { settings } from "./said.ts"

const KEY = "correct-horse-battery"
const machine = { cpus: 2, platform: "linux", privileged: false }

function warnings(...said: [SettingKey, readonly string[] | boolean][]): string[] {
  const flags = new Map<SettingKey, readonly string[] | boolean>([
    ["backends", ["a:80", "b:80"]],
    ["sticky.key", [KEY]],
    ...said,
  ])
  const settings = resolveSettings({ file: null, flags, environment: {}, machine })
  return warningsAbout(settings, machine).map(({ loud, line }) => (loud ? "LOUD " : "") + line)
}

type Row = [string, [SettingKey, readonly string[] | boolean][], string[]]

test.each<Row>([
  ["nothing", [], []],
  [
    "insecure",
    [["insecure", true]],
    ["LOUD insecure: the certificates of TLS backends are NOT verified"],
  ],
  [
    "everyone trusted",
    [["trusted_proxies", ["0.0.0.0/0", "::/0", "10.0.0.0/8"]]],
    ["LOUD trusted_proxies: with 0.0.0.0/0 and ::/0 any client can forge its address"],
  ],
  [
    "public admin",
    [["admin", ["0.0.0.0:9900"]]],
    [
      "LOUD admin: 0.0.0.0 is not a loopback address, whoever reaches it sees all figures; " +
        "without admin_token nothing can be changed there",
    ],
  ],
  ...["127.0.0.1", "localhost", "[::1]"].map((host): Row => [
    `itself as ${host}`,
    [["backends", [`${host}:8080`, "b:8080", `${host}:8081`]]],
    [`LOUD backends: ${host}:8080 is bunlb's own port, its requests would go round in a circle`],
  ]),
  [
    "the same port of an address that it does not listen on",
    [
      ["host", ["127.0.0.1"]],
      ["backends", ["10.0.0.1:8080", "b:8080"]],
    ],
    [],
  ],
  ["no admin", [["admin", ["off"]]], []],
  [
    "a trace that nobody sees",
    [
      ["trace", true],
      ["log_level", ["warn"]],
    ],
    ["LOUD trace: shows nothing at log_level warn, use info"],
  ],
  [
    "one backend",
    [["backends", ["a:80"]]],
    ["backends: only one, nothing can take over when it fails"],
  ],
  [
    "all backups",
    [["backends", ["a:80,backup", "b:80,backup"]]],
    ["backends: all are backups, so none is"],
  ],
  [
    "weights without effect",
    [["backends", ["a:80,weight=2", "b:80"]]],
    ["backends: weights count only with strategy weighted or sticky, not round_robin"],
  ],
  [
    "weights that random does not look at",
    [
      ["backends", ["a:80,weight=2", "b:80"]],
      ["strategy", ["random"]],
    ],
    ["backends: weights count only with strategy weighted or sticky, not random"],
  ],
  ...["weighted", "sticky"].map((strategy): Row => [
    `weights with effect: ${strategy}`,
    [
      ["backends", ["a:80,weight=2", "b:80"]],
      ["strategy", [strategy]],
    ],
    [],
  ]),
  ...["auto", "off"].map((secure): Row => [
    `a cookie that browsers refuse: ${secure}`,
    [
      ["strategy", ["sticky"]],
      ["sticky.same_site", ["none"]],
      ["sticky.secure", [secure]],
    ],
    ["LOUD sticky.same_site: with none and without sticky.secure on browsers refuse the cookie"],
  ]),
  [
    "a cookie that browsers refuse without TLS",
    [
      ["strategy", ["sticky"]],
      ["sticky.same_site", ["none"]],
      ["trusted_proxies", ["10.0.0.0/8"]],
    ],
    [
      "sticky.same_site: with none and without sticky.secure on browsers refuse the cookie " +
        "of whoever comes without TLS",
    ],
  ],
  [
    "a cookie for other sites that browsers take",
    [
      ["strategy", ["sticky"]],
      ["sticky.same_site", ["none"]],
      ["sticky.secure", ["on"]],
    ],
    [],
  ],
  ["no cookie at all", [["sticky.same_site", ["none"]]], []],
  ["one name that may stand for many", [["backends", ["dns+http://a:80"]]], []],
  [
    "weights of records without effect",
    [["backends", ["srv+http://_http._tcp.a"]]],
    [
      "backends: the weights of SRV records count only with strategy weighted or sticky, " +
        "not round_robin",
    ],
  ],
  [
    "weights of records with effect",
    [
      ["backends", ["srv+http://_http._tcp.a"]],
      ["strategy", ["weighted"]],
    ],
    [],
  ],
  ["many workers", [["workers", ["3"]]], ["workers: 3 are more than the 2 CPUs of this machine"]],
  [
    "many workers in one process",
    [
      ["workers", ["3"]],
      ["mode", ["sp"]],
    ],
    [],
  ],
  [
    "a privileged port",
    [["port", ["80"]]],
    ["port: 80 is privileged, bunlb needs root or CAP_NET_BIND_SERVICE"],
  ],
  [
    "all held back",
    [["backends", ["a:80,drain", "b:80,disabled"]]],
    ["LOUD backends: all say drain or disabled, so nobody serves"],
  ],
  ["any free port", [["port", ["0"]]], []],
  [
    "slow probes",
    [["health.timeout", ["6s"]]],
    ["health.timeout: longer than health.interval, a slow backend is probed less often"],
  ],
])("%s", (_, said, expected) => {
  expect(warnings(...said)).toEqual(expected)
})

test("cookies without a key are told of, and only with strategy sticky", () => {
  const settings = defaultSettings(machine)
  const about = (strategy: StrategyName, key: string | null): string[] =>
    warningsAbout(
      withDefaults({ ...settings, strategy, sticky: { ...settings.sticky, key } }),
      machine,
    )
      .map(({ line }) => line)
      .filter((line) => line.startsWith("sticky.key"))
  expect(about("sticky", null)).toEqual([
    "sticky.key: not set, so a restart forgets all cookies, and other instances do not know them",
  ])
  expect(about("sticky", KEY)).toEqual([])
  expect(about("round_robin", null)).toEqual([])
})

test.each<[string, string[]]>([
  ["backends: [a:80, b:80]\nlisteners: { web: ':8080' }\npools: {}", []],
  [
    "backends: [a:80, b:80]\npools: { api: [c:80, d:80] }",
    ["pools.api: no listener names the pool api, so it gets no requests"],
  ],
  [
    "backends: [a:80, b:80]\n" +
      "listeners: { web: { address: ':8080', pool: api } }\npools: { api: [c:80, d:80] }",
    ["backends: no listener names the pool default, so it gets no requests"],
  ],
  [
    "listeners: { web: { address: ':80', pool: api } }\npools: { api: [c:80] }",
    [
      "pools.api.backends: only one, nothing can take over when it fails",
      "listeners.web: 80 is privileged, bunlb needs root or CAP_NET_BIND_SERVICE",
    ],
  ],
  [
    "listeners: { web: { address: ':8080', pool: api } }\n" +
      "pools: { api: { backends: [127.0.0.1:8080, 'd:80,weight=2'], insecure: true } }",
    [
      "LOUD pools.api.insecure: the certificates of TLS backends are NOT verified",
      "LOUD pools.api.backends: 127.0.0.1:8080 is bunlb's own port, " +
        "its requests would go round in a circle",
      "pools.api.backends: weights count only with strategy weighted or sticky, not round_robin",
    ],
  ],
  [
    "listeners: { web: { address: ':8080', pool: a, trusted_proxies: '::/0' }, " +
      "two: { address: ':81', pool: b } }\n" +
      "pools: { a: { backends: [x:8081, y:80], strategy: sticky }, b: [127.0.0.1:8080, y:80] }\n" +
      "health: { timeout: 9s }\ntrusted_proxies: 0.0.0.0/0",
    [
      "LOUD trusted_proxies: with 0.0.0.0/0 any client can forge its address",
      "LOUD listeners.web.trusted_proxies: with ::/0 any client can forge its address",
      "pools.a.sticky.key: not set, so a restart forgets all cookies, " +
        "and other instances do not know them",
      "health.timeout: longer than health.interval, a slow backend is probed less often",
      "listeners.two: 81 is privileged, bunlb needs root or CAP_NET_BIND_SERVICE",
    ],
  ],
  [
    "listeners: { web: { address: ':8080', pool: a } }\n" +
      "pools: { a: { backends: [x:80, y:80], health: { timeout: 9s } } }",
    ["pools.a.health.timeout: longer than health.interval, a slow backend is probed less often"],
  ],
])("records: %s", (text, expected) => {
  const found = warningsAbout(settings({ text }), machine)
  expect(found.map(({ loud, line }) => (loud ? "LOUD " : "") + line)).toEqual(expected)
})
