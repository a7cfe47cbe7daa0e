/** BUNLB_* variables: their names, their place in the order, their faults, and those of others. */
import { describe, expect, test } from "bun:test"
import { BunlbError } from "../../src/core/errors.ts"
import { parseConfig } from "../../src/config/file/config-tree.ts"
import { variableName } from "../../src/config/environment-values.ts"
import { resolve, type FlagValues } from "../../src/config/resolve.ts"
import { settingRows } from "../../src/config/schema/schema.ts"
import type { SettingKey } from "../../src/config/schema/setting.ts"

const machine = { cpus: 2, platform: "linux" }

function said(environment: Readonly<Record<string, string>>, text = "", flags?: FlagValues) {
  const file = text === "" ? null : parseConfig("bunlb.yaml", text, "yaml")
  return resolve({ file, flags: flags ?? new Map(), environment, machine })
}

function faults(environment: Readonly<Record<string, string>>): string[] {
  try {
    said(environment)
    return []
  } catch (error) {
    if (error instanceof BunlbError) return [error.code, ...error.message.split("\n")]
    throw error
  }
}

test("names follow keys, and no two are the same", () => {
  const names = settingRows.map(({ key }) => variableName(key))
  expect(variableName("health.interval")).toBe("BUNLB_HEALTH_INTERVAL")
  expect(variableName("timeouts.response_head")).toBe("BUNLB_TIMEOUTS_RESPONSE_HEAD")
  expect(new Set(names).size).toBe(names.length)
})

test("the environment wins over the file, flags win over the environment", () => {
  const text = "port: 81\nworkers: 3\nhealth: { interval: 9s }\nstrategy: random"
  const environment = {
    BUNLB_PORT: "82",
    BUNLB_HEALTH_INTERVAL: "8s",
    BUNLB_STRATEGY: "sticky",
    BUNLB_TRACE: "yes",
  }
  const flags = new Map<SettingKey, readonly string[]>([["strategy", ["weighted"]]])
  const { settings, origins } = said(environment, text, flags)
  expect(settings).toMatchObject({ port: 82, workers: 3, strategy: "weighted", trace: true })
  expect(settings.health.interval).toBe(8_000)
  const keys = ["host", "workers", "port", "health.interval", "strategy", "log_level"] as const
  expect(keys.map((key) => origins.get(key))).toEqual([
    "default",
    "bunlb.yaml:2:1",
    "BUNLB_PORT",
    "BUNLB_HEALTH_INTERVAL",
    "--strategy",
    "because of a trace",
  ])
})

test("lists have spaces between their entries and replace those of the file", () => {
  const { settings } = said(
    {
      BUNLB_BACKENDS: " a:80,weight=2\n b:80 ",
      BUNLB_TRUSTED_PROXIES: "10.0.0.0/8,::1 192.168.0.0/16",
    },
    "backends: [c:80]",
  )
  expect(settings.backends.map(({ name, weight }) => [name, weight])).toEqual([
    ["a:80", 2],
    ["b:80", 1],
  ])
  expect(settings.trustedProxies).toEqual(["10.0.0.0/8", "::1", "192.168.0.0/16"])
})

test("an empty variable says nothing", () => {
  const { settings, origins } = said({ BUNLB_PORT: "", BUNLB_BACKENDS: "  " }, "backends: [c:80]")
  expect(settings).toMatchObject({ port: 8080, backends: [{ name: "c:80" }] })
  expect(origins.get("port")).toBe("default")
})

describe("faults", () => {
  test("all are told, with the name of the variable", () => {
    expect(faults({ BUNLB_PORT: "http", BUNLB_BACKENDS: "a:80 b", BUNLB_WORKERS: "0" })).toEqual([
      "BUNLB_E_CONFIG",
      'environment: BUNLB_BACKENDS[1]: "b" has no port, write b:80',
      'environment: BUNLB_PORT: expected a whole number from 0 to 65535, got "http"',
      'environment: BUNLB_WORKERS: expected a whole number from 1 to 256, got "0", ' +
        "leave it out for one a CPU",
    ])
  })

  test("a name that is nearly right was meant to be right", () => {
    expect(faults({ BUNLB_HEALT_INTERVAL: "5s" })).toEqual([
      "BUNLB_E_CONFIG",
      "environment: BUNLB_HEALT_INTERVAL: unknown name, did you mean BUNLB_HEALTH_INTERVAL?",
    ])
  })

  test("names of others are none", () => {
    const others = {
      BUNLB_WORKER: "0",
      BUNLB_CONFIG: "bunlb.yaml",
      BUNLB_TEST_EXECUTABLE: "bunlb",
      BUNLB_PORT: "tcp://10.96.0.7:80",
      BUNLB_PORT_80_TCP: "tcp://10.96.0.7:80",
      BUNLB_PORT_80_TCP_PORT: "80",
      BUNLB_SERVICE_HOST: "10.96.0.7",
      BUNLB_SERVICE_PORT: "80",
      BUNLB_ADMIN_PORT: "tcp://10.96.0.8:9900",
    }
    expect(faults(others)).toEqual([])
    expect(said(others).settings.port).toBe(8080)
  })
})
