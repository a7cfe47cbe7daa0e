/** Complete settings for tests: a small fleet on a port of the kernel's choice, with two backends of no use. */
import type { BackendSettings, Settings } from "../../src/config/settings.ts"

export function testBackend(name: string, more: Partial<BackendSettings> = {}): BackendSettings {
  const [host = "", port = ""] = name.split(":")
  return { name, host, port: Number(port), tls: false, weight: 1, backup: false, ca: null, ...more }
}

export function testSettings(more: Partial<Settings> = {}): Settings {
  return {
    host: "127.0.0.1",
    port: 0,
    backends: [testBackend("a:80"), testBackend("b:80")],
    mode: "mp",
    workers: 2,
    pin: true,
    strategy: "round_robin",
    logLevel: "debug",
    logFormat: "text",
    insecure: false,
    trace: false,
    tlsTrace: false,
    admin: { host: "127.0.0.1", port: 0 },
    hostHeader: null,
    trustedProxies: [],
    whenAllUnhealthy: "try",
    health: {
      ...{ type: "http", path: "/", interval: 5_000, timeout: 2_000 },
      ...{ expect: [[200, 200]], host: null, failures: 3, successes: 2 },
    },
    sticky: { cookie: "bunlb", secure: "auto", sameSite: "lax", maxAge: 0 },
    timeouts: {
      ...{ connect: 3_000, tlsHandshake: 5_000, clientHead: 10_000, clientIdle: 75_000 },
      ...{ clientBody: 30_000, responseHead: 60_000, backendBody: 60_000, poolIdle: 30_000 },
      ...{ tunnelIdle: 3_600_000, drain: 30_000 },
    },
    limits: {
      ...{ headBytes: 16_384, fields: 100, requestLineBytes: 8_192 },
      ...{ responseHeadBytes: 65_536, connections: 0 },
    },
    pool: { idle: 64, maxAge: 300_000 },
    retries: { max: 2, budgetPercent: 20, budgetFloor: 10, replayBytes: 65_536 },
    ...more,
  }
}
