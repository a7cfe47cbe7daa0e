/** What is written wrong in a file or in the environment, and the cure that the error names. */
import { afterAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { readConfigFile } from "../../src/config/file/read-file.ts"
import { resolveSettings } from "../../src/config/resolve.ts"
import { sourceFiles } from "../support/source.ts"

const folder = mkdtempSync(join(tmpdir(), "bunlb-advice-"))
afterAll(() => rmSync(folder, { recursive: true }))
const machine = { cpus: 4, platform: "linux" }

/** The faults of a file, without its name. */
async function faultsOf(
  text: string,
  format = "yaml",
  environment: Readonly<Record<string, string>> = {},
): Promise<string> {
  const name = join(folder, `bunlb.${format}`)
  await Bun.write(name, text)
  try {
    const file = await readConfigFile(name)
    resolveSettings({ file, flags: new Map(), environment, machine })
  } catch (error) {
    return (error as Error).message.replaceAll(`config: ${name}:`, "")
  }
  return ""
}

function faultOfVariable(name: string, value: string): string {
  try {
    resolveSettings({ file: null, flags: new Map(), environment: { [name]: value }, machine })
  } catch (error) {
    return (error as Error).message
  }
  return ""
}

describe("a backend in YAML", () => {
  test.each<[string, string]>([
    ["[https://h:443,ca=f.pem]", '"https://h:443,ca=f.pem"'],
    ["[h:80,weight=3]", '"h:80,weight=3"'],
    ["h:80, i:80", 'write ["h:80", "i:80"]'],
    ["h:80,weight=2 i:80", 'write ["h:80,weight=2", "i:80"]'],
    ["['h:80 i:80']", "give each backend its own -b or entry"],
    ["[h:80,backup]", 'write the whole entry in quotes, "h:80,backup"'],
    ["[a:80, [::1]:80]", 'write the entry as one line: "[::1]:80"'],
    [
      "[{address: 10.0.0.1, port: 80}]",
      '.address: unknown key, write the entry as one line: "10.0.0.1:80"',
    ],
    ["[{server: 10.0.0.1:80, weight: 2}]", '"10.0.0.1:80,weight=2"'],
    ["[{url: 'https://a/', weight: 2, backup: true, tls: false}]", '"https://a,weight=2,backup"'],
    ["[{addr: '::1', port: 80, drain: true}]", '"[::1]:80,drain"'],
    ["[{target: '[::1]:80', ca: x.pem}]", '"[::1]:80,ca=x.pem"'],
    [
      "[{host: '10.0.0.1:81', port: 80}]",
      'holds more than a host, write the entry as one line: "10.0.0.1:81"',
    ],
    ["[{host: 'http://a', port: 80, weight: 2}]", '"http://a:80,weight=2"'],
    ["[{10.0.0.1: 80}]", 'unknown key, write the entry as one line: "10.0.0.1:80"'],
    ["[{host: a, port: 80, weight: 0}]", "to send it no requests use drain"],
    ["['a:80,weight=0']", "to send it no requests use drain"],
    ["[h:80 weight=3]", "holds a blank, options follow a comma: h:80,weight=3"],
    ["[h:80 weight=3 backup]", "options follow a comma: h:80,weight=3,backup"],
    ["[h:80 max_fails=3]", "one backend an entry"],
    ["\n  - h:80\n    weight: 3", "follow a comma, in its line: - h:80,weight=3"],
    ["\n  - https://h\n    backup: true", "in its line: - https://h,backup"],
    ['\n  - "h:80"\n    ca: x.pem', "in its line: - h:80,ca=x.pem"],
    ["\n  - h:80\n  weight: 3", "in its line: - h:80,weight=3"],
    ["\n  - h:80:\n      weight: 3", '"h:80,weight=3"'],
    ["\n-h:80\n-i:80", 'a dash and a blank, "- "'],
  ])("backends: %j", async (value, cure) => {
    expect(await faultsOf(`backends: ${value}\n`)).toContain(cure)
  })

  test("the line that an error proposes is one that is accepted", async () => {
    for (const entry of [
      "{address: 10.0.0.1, port: 80, weight: 2, backup: true}",
      "{url: 'https://a/', ca: x.pem}",
      "{addr: '::1', port: 80}",
      "{host: 'http://a', port: 80}",
      "a:80 weight=3 backup",
      "{url: 'https://a-host.with-a-long-name.example.com:8443', ca: /etc/bunlb/authority.pem}",
    ]) {
      const fault = await faultsOf(`backends: [${entry}]\n`)
      const line = /(?:line: |comma: )"?([^"]+)"?$/.exec(fault)?.[1] ?? fault
      expect(await faultsOf(`backends: ["${line}"]\n`), fault).toBe("")
    }
  })
})

describe("a key", () => {
  test.each<[string, string]>([
    ["rate_limit: 5", "bunlb has no rate limits yet"],
    ["rateLimit: 5", '"limits.connections_per_client"'],
    ["limits: { body: 1m }", "no limit on bodies"],
    ["client_max_body_size: 1m", "no limit on bodies"],
    ["timeouts: { read: 5s }", '"timeouts.response_head", "timeouts.backend_body"'],
    ["timeouts: { idle: 5s }", '"timeouts.client_idle", "timeouts.pool_idle"'],
    ["timeouts.read: 5s", '"timeouts.response_head"'],
    ["ssl: true", "does not terminate client TLS"],
    ["include: conf.d/*", "there is one file and no include; ${NAME}"],
    ["max_connections: 5", 'did you mean "limits.connections"?'],
    ["maxConnections: 5", 'did you mean "limits.connections"?'],
    ["maxconn: 5", 'here it is "limits.connections"'],
    ["interval: 5s", 'did you mean "health.interval"?'],
    ["health: { port: 80 }", "probes go to the port of the backend"],
    ["health: { rise: 2 }", 'here it is "health.successes"'],
    ["health: { connect: 5s }", 'did you mean "timeouts.connect"?'],
    ["health: { backends: [a:80] }", "belongs at the top level and not under health"],
    ["zzz: 1", "zzz: unknown key"],
  ])("%s", async (text, cure) => {
    const fault = await faultsOf(`${text}\n`)
    expect(fault).toContain("unknown key")
    expect(fault).toContain(cure)
  })

  test.each([
    ['[health]\npath = "/"\nbackends = ["a:80"]\n', "it is no part of [health]: move it above"],
    ['[health]\npath = "/"\n[retries]\nworkers = 2\n', "it is no part of [retries]: move it above"],
  ])("below a table of TOML: %j", async (text, cure) => {
    expect(await faultsOf(text, "toml")).toContain(cure)
  })

  test("a text without its quotes", async () => {
    expect(await faultsOf("health.interval = 5s\n", "toml")).toContain('text: "5s"')
    expect(await faultsOf("port: 80\n", "toml")).toContain("TOML has = between key and value")
    expect(await faultsOf("host: ::\n")).toContain('quotes around the value: "::"')
    const six = "listeners:\n  web: ':80'\n  six: [::1]:81\n"
    expect(await faultsOf(six)).toContain('; put quotes around the value: "[::1]:81"')
    expect(await faultsOf("access_log:\n  redact: *\n")).toContain('quotes around the value: "*"')
  })
})

describe("a variable", () => {
  test.each([
    ["BUNLB_BACKENDS", "a:80, b:80;c:80,weight=2", 'BUNLB_BACKENDS="a:80 b:80 c:80,weight=2"'],
    ["BUNLB_BACKENDS", "a:80,wieght=2", '"wieght", did you mean'],
    ["BUNLB_BACKENDS", "a:80,b:80", 'separated by blanks here: BUNLB_BACKENDS="a:80 b:80"'],
    ["BUNLB_BACKENDS", "a:80,weight=2,b:80", '="a:80,weight=2 b:80"'],
    ["BUNLB_BACKENDS", "a:80 weight=2", 'in quotes, "a:80,weight=2"'],
    ["BUNLB_MAX_CONNECTIONS", "10", "did you mean BUNLB_LIMITS_CONNECTIONS?"],
    ["BUNLB_LIMITS_CONN", "4", "did you mean BUNLB_LIMITS_CONNECTIONS?"],
    ["BUNLB_CONNECT_TIMEOUT", "4s", "BUNLB_TIMEOUTS_CONNECT"],
    ["BUNLB_LIMIT_FIELDS", "4", "did you mean BUNLB_LIMITS_FIELDS?"],
    ["BUNLB_BACKEND", "a:80", "did you mean BUNLB_BACKENDS?"],
    ["BUNLB_RATE_LIMIT", "4", "no rate limits yet; BUNLB_LIMITS_CONNECTIONS_PER_CLIENT"],
    ["BUNLB_ZZZ", "4", "unknown name: there is no such setting"],
  ])("%s=%s", (name, value, cure) => {
    const fault = faultOfVariable(name, value)
    expect(fault).toStartWith(`environment: ${name}`)
    expect(fault).toContain(cure)
  })

  test("one that the file asks for is no mistake", async () => {
    const text = "port: ${BUNLB_ZZZ}\nbackends: [a:80]\n"
    expect(await faultsOf(text, "yaml", { BUNLB_ZZZ: "81" })).toBe("")
    expect(await faultsOf(text, "yaml", { BUNLB_ZZZ: "81", BUNLB_YYY: "1" })).toContain("BUNLB_YYY")
  })

  test.each([
    ["BUNLB_ZZZ", ""],
    ["BUNLB_PORT", "tcp://10.0.0.1:80"],
    ["BUNLB_SERVICE_HOST", "10.0.0.1"],
    ["BUNLB_SERVICE_PORT_HTTP", "80"],
    ["BUNLB_PORT_80_TCP_ADDR", "10.0.0.1"],
    ["BUNLB_ADMIN_PORT_9900_TCP", "tcp://10.0.0.1:9900"],
    ["NOT_BUNLB_ZZZ", "1"],
  ])("%s=%s is not ours", (name, value) => {
    expect(faultOfVariable(name, value)).toBe("")
  })

  test("what another version leaves to its successor is no mistake", () => {
    const environment = { BUNLB_HEIR: "1", BUNLB_OF_A_LATER_VERSION: "1" }
    resolveSettings({ file: null, flags: new Map(), environment, machine })
  })

  test("what bunlb says to its own processes is known", () => {
    const names = sourceFiles("src").flatMap(({ text }) =>
      [...text.matchAll(/["'`.](BUNLB_(?!E_)[A-Z_]+)["'`\s)]/g)].map(([, name = ""]) => name),
    )
    expect(names).toContain("BUNLB_WORKER")
    const refused = [...new Set(names)].filter((name) =>
      faultOfVariable(name, "1").includes("unknown name"),
    )
    expect(refused).toEqual([])
  })
})
