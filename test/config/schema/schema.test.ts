/**
 * The table of settings: that it has a row for every field is the compiler's to check; here are its defaults, its
 * flags, and that a file and a flag mean the same.
 */
import { expect, test } from "bun:test"
import { parseConfig } from "../../../src/config/file/config-tree.ts"
import { defaultSettings, resolveSettings } from "../../../src/config/resolve.ts"
import { settingRows } from "../../../src/config/schema/schema.ts"
import type { SettingKey } from "../../../src/config/schema/setting.ts"
import { withDefaults } from "../../../src/config/schema/pools.ts"
import type { FlatSettings, Settings } from "../../../src/config/schema/settings.ts"

const machine = { cpus: 4, platform: "linux" }

const healthDefaults: Settings["health"] = {
  type: "http",
  path: "/",
  interval: 5_000,
  timeout: 2_000,
  expect: [[200, 200]],
  host: null,
  failures: 3,
  successes: 2,
  backoff: 1,
  slowStart: 0,
}

test("the defaults are the documented ones", () => {
  const expected: FlatSettings = {
    host: "0.0.0.0",
    port: 8080,
    backends: [],
    mode: "mp",
    workers: 4,
    pin: true,
    sockets: "direct",
    strategy: "round_robin",
    logLevel: "info",
    logFormat: "auto",
    logOutput: "stderr",
    insecure: false,
    weakCertificates: false,
    trace: false,
    tlsTrace: false,
    tracing: false,
    admin: { host: "127.0.0.1", port: 9900 },
    adminToken: null,
    halfClose: false,
    watch: false,
    hostHeader: null,
    trustedProxies: [],
    forwarded: false,
    forwardedKeep: [],
    requestId: "trusted",
    via: "off",
    http: { bareLf: "refuse" },
    whenAllUnhealthy: "try",
    health: healthDefaults,
    sticky: { cookie: "bunlb", secure: "auto", sameSite: "lax", maxAge: 0, key: null },
    timeouts: {
      connect: 3_000,
      tlsHandshake: 5_000,
      clientHead: 10_000,
      clientIdle: 75_000,
      clientBody: 30_000,
      clientRead: 60_000,
      responseHead: 60_000,
      backendBody: 60_000,
      poolIdle: 30_000,
      tunnelIdle: 3_600_000,
      drain: 30_000,
    },
    keepalive: { client: 60_000, backend: 60_000 },
    limits: {
      headBytes: 16_384,
      fields: 100,
      requestLineBytes: 8_192,
      responseHeadBytes: 65_536,
      connections: 0,
      connectionsPerClient: 0,
    },
    pool: { idle: 512, maxAge: 300_000 },
    retries: { max: 2, budgetPercent: 20, budgetFloor: 10, replayBytes: 65_536 },
    accessLog: {
      format: "off",
      path: "stdout",
      minStatus: 0,
      slowerThan: 0,
      samplePercent: null,
      fields: [],
      redact: expect.arrayContaining(["access_token", "password"]) as string[],
    },
    dns: { servers: [], maxBackends: 256, family: "any" },
  }
  expect(defaultSettings(machine)).toEqual(withDefaults(expected))
})

test("elsewhere than on Linux there is one process", () => {
  expect(defaultSettings({ cpus: 8, platform: "darwin" }).mode).toBe("sp")
  expect(defaultSettings({ cpus: 0, platform: "linux" }).workers).toBe(1)
})

test("flags are named after keys", () => {
  const flags = Object.fromEntries(settingRows.map(({ key, flag }) => [key, flag]))
  expect(flags).toMatchObject({
    port: "port",
    backends: "backend",
    log_level: "log-level",
    tls_trace: "tls-trace",
    when_all_unhealthy: "when-all-unhealthy",
    "health.interval": "health-interval",
    "sticky.same_site": "sticky-same-site",
    "timeouts.response_head": "response-head-timeout",
    "timeouts.drain": "drain-timeout",
    "limits.head_bytes": "limit-head-bytes",
    "pool.max_age": "pool-max-age",
    "retries.budget_percent": "retries-budget-percent",
  })
})

test("no two flags have the same name or letter", () => {
  const names = settingRows.flatMap(({ flag, setting }) => [flag, setting.alias ?? []].flat())
  const letters = settingRows.flatMap(({ setting }) => setting.short ?? [])
  expect(new Set(names).size).toBe(names.length)
  expect(new Set(letters).size).toBe(letters.length)
  expect(letters.toSorted().join("")).toBe("bhklmpstw")
  expect(names.filter((name) => name.startsWith("no-") || name === "config")).toEqual([])
})

/** For each setting a value that is not its default, as a flag says it. */
const samples: Readonly<Record<SettingKey, string>> = {
  backends: "a:80",
  port: "81",
  host: "127.0.0.1",
  admin: "off",
  admin_token: "0123456789abcdef",
  half_close: "true",
  watch: "true",
  mode: "sp",
  workers: "7",
  pin: "false",
  sockets: "bun",
  strategy: "sticky",
  when_all_unhealthy: "fail",
  host_header: "example.com",
  forwarded: "true",
  forwarded_keep: "x-forwarded-prefix,client-cert",
  request_id: "client",
  via: "both",
  "http.bare_lf": "accept",
  trusted_proxies: "10.0.0.0/8,::1",
  insecure: "true",
  weak_certificates: "true",
  log_level: "err",
  log_format: "json",
  log_output: "stdout",
  trace: "true",
  tls_trace: "true",
  tracing: "on",
  "health.type": "tcp",
  "health.path": "/healthz",
  "health.interval": "7s",
  "health.timeout": "7s",
  "health.expect": "2xx,301",
  "health.host": "probe.example.com",
  "health.failures": "7",
  "health.successes": "7",
  "health.backoff": "7",
  "health.slow_start": "7s",
  "sticky.cookie": "sid",
  "sticky.secure": "on",
  "sticky.same_site": "strict",
  "sticky.max_age": "1h",
  "sticky.key": "correct-horse-battery",
  "timeouts.connect": "7s",
  "timeouts.tls_handshake": "7s",
  "timeouts.client_head": "7s",
  "timeouts.client_idle": "7s",
  "timeouts.client_body": "7s",
  "timeouts.client_read": "7s",
  "timeouts.response_head": "7s",
  "timeouts.backend_body": "7s",
  "timeouts.pool_idle": "7s",
  "timeouts.tunnel_idle": "7s",
  "timeouts.drain": "7s",
  "keepalive.client": "7s",
  "keepalive.backend": "7s",
  "limits.head_bytes": "7k",
  "limits.fields": "7",
  "limits.request_line_bytes": "7k",
  "limits.response_head_bytes": "7k",
  "limits.connections": "7",
  "limits.connections_per_client": "7",
  "pool.idle": "7",
  "pool.max_age": "7s",
  "retries.max": "7",
  "retries.budget_percent": "7",
  "retries.budget_floor": "7",
  "retries.replay_bytes": "7k",
  "access_log.format": "json",
  "access_log.path": "access.log",
  "access_log.min_status": "500",
  "access_log.slower_than": "7s",
  "access_log.sample_percent": "7",
  "access_log.fields": "traceparent,x-tenant",
  "access_log.redact": "code",
  "dns.servers": "127.0.0.1:5353,::1",
  "dns.max_backends": "7",
  "dns.family": "ipv4",
  listeners: "web=:81",
  pools: "default=a:80,weight=2;b:80",
}

test.each(Object.entries(samples) as [SettingKey, string][])("%s", (key, sample) => {
  const inFile: Readonly<Record<string, string>> = {
    backends: `[${sample}]`,
    listeners: '{ web: ":81" }',
    pools: '{ default: ["a:80,weight=2", "b:80"] }',
  }
  const yaml = inFile[key] ?? `"${sample}"`
  const [group = "", name] = key.split(".")
  const text = name === undefined ? `${key}: ${yaml}` : `${group}: { ${name}: ${yaml} }`
  const file = parseConfig("x.yaml", text, "yaml")
  const flags = new Map([[key, [sample]]])
  const nothing = { flags: new Map(), environment: {}, machine }
  const byFile = resolveSettings({ ...nothing, file })
  expect(resolveSettings({ ...nothing, file: null, flags })).toEqual(byFile)
  expect(byFile).not.toEqual(defaultSettings(machine))
})
