/** The schema that editors use: what the reader takes is right by it, what people get wrong is not. */
import { describe, expect, test } from "bun:test"
import { configurationPage } from "../../src/config/document.ts"
import { effectiveConfiguration } from "../../src/config/effective.ts"
import { configurationSchema } from "../../src/config/json-schema.ts"
import { resolve } from "../../src/config/resolve.ts"
import { settingRows } from "../../src/config/schema/schema.ts"
import { bunlb } from "../cli/fake-terminal.ts"
import { faultsOf } from "../support/json-schema.ts"

const schema = configurationSchema()

test("it has every setting under its group, with its words", () => {
  const text = JSON.stringify(schema)
  for (const { setting } of settingRows)
    expect(text).toContain(JSON.stringify(setting.help).slice(1, -1))
  const { properties } = schema as { properties: Record<string, { properties: object }> }
  expect(Object.keys(properties["health"]?.properties ?? {})).toContain("interval")
})

test("the examples of the documentation are right by it", () => {
  const blocks = [...configurationPage().matchAll(/```(yaml|toml|json)\n(.*?)```/gs)]
  expect(blocks).toBeArrayOfSize(5)
  for (const [, format, text = ""] of blocks) {
    const parse = { yaml: Bun.YAML.parse, toml: Bun.TOML.parse, json: JSON.parse }[format ?? ""]
    expect(faultsOf(schema, parse?.(text))).toEqual([])
  }
})

test("so is every default, as it is printed", () => {
  const nothing = { file: null, flags: new Map(), environment: {} }
  const made = resolve({ ...nothing, machine: { cpus: 2, platform: "linux" } })
  expect(faultsOf(schema, Bun.YAML.parse(effectiveConfiguration(made)))).toEqual([])
})

describe("what the reader takes", () => {
  test.each([
    "port: ${PORT}",
    'port: "81"',
    "backends: [{ host: a, port: 80, weight: 2 }, 'https://a', '[::1]:80,backup']",
    "backends: ['${UPSTREAM:-a:80}']",
    "backends: ['dns+http://a:80', 'SRV+https://_a._tcp.b,backup', { host: a, discover: srv }]",
    "trusted_proxies: 10.0.0.0/8,::1",
    "admin: off",
    "admin: null",
    "host: localhost",
    "host: '::'",
    "pin: on",
    "log_level: error",
    'sticky: { secure: "true" }',
    "health:",
    "health: { expect: [200, 3xx, 401-403], host: null }",
    "health: { expect: 2xx }",
    "health.interval: 500ms",
    "timeouts: { drain: 0, connect: 1.5s }",
    "listeners:",
    "pools: {}",
    "listeners: { web: ':80', a-1: '10.0.0.1:80', b: '[::1]:80', c: 'unix:/run/x.sock' }",
    "listeners: { web: { address: ':80', pool: api, timeouts: { client_idle: 5s } } }",
    "listeners: { web: { address: '${ADDRESS}', half_close: on, timeouts.client_idle: 5s } }",
    "listeners: { web: { address: 'unix:/x', socket_mode: '0660' } }",
    "pools: { api: [a:80, { host: b, port: 80 }], big: { backends: [c:80], strategy: random } }",
    "pools: { api: { backends: [c:80], health: { path: /x }, pool: { idle: 7 } } }",
    "limits: { head_bytes: 16384, request_line_bytes: 8KiB, response_head_bytes: 64k }",
  ])("%s", (text) => {
    expect(faultsOf(schema, Bun.YAML.parse(text))).toEqual([])
  })
})

describe("what people get wrong", () => {
  test.each([
    ["prot: 80", "$: has the unknown key prot"],
    ["port: 70000", "$.port: is above 65535"],
    ["port: eighty", "$.port: is not "],
    ["strategy: best", "$.strategy: fits no choice"],
    ["health: { pth: / }", "$.health: has the unknown key pth"],
    ["health: { interval: 5 }", "$.health.interval: is above 0"],
    ["health.interval: 5", "$.health.interval: is above 0"],
    ["limits: { head_bytes: 16KB }", "$.limits.head_bytes: is not "],
    ["listeners: { Web: ':80' }", "$.listeners: has the unknown key Web"],
    ["listeners: { web: 80 }", "$.listeners.web: fits no choice"],
    ["listeners: { web: 'a.com:80' }", "$.listeners.web: fits no choice"],
    ["listeners: { web: { pool: api } }", "$.listeners.web: fits no choice"],
    ["listeners: { web: { address: ':80', strategy: random } }", "$.listeners.web: fits no choice"],
    ["pools: { api: a:80 }", "$.pools.api: fits no choice"],
    ["pools: { api: { strategy: random } }", "$.pools.api: fits no choice"],
    ["pools: { api: { backends: [a:80], health: { pth: / } } }", "$.pools.api: fits no choice"],
    ["backends: [a/b]", "$.backends[0]: fits no choice"],
    ["backends: [{ host: a }]", "$.backends[0]: fits no choice"],
    ["backends: [{ host: a, port: 80, wieght: 2 }]", "$.backends[0]: fits no choice"],
  ])("%s", (text, fault) => {
    expect(faultsOf(schema, Bun.YAML.parse(text))[0]).toStartWith(fault)
  })
})

test("bunlb schema prints it", async () => {
  const { code, out } = await bunlb(["schema"])
  expect(code).toBe(0)
  expect(JSON.parse(out)).toEqual(schema)
})
