/** /etc/hosts, resolv.conf and nsswitch.conf as they are written in the wild, and when they change. */
import { afterAll, describe, expect, test } from "bun:test"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { SystemFiles, type SystemPaths } from "../../../src/net/names/system-files.ts"

const folder = mkdtempSync(join(tmpdir(), "bunlb-system-files-"))
afterAll(() => rmSync(folder, { recursive: true }))

interface Etc {
  readonly paths: SystemPaths
  readonly time: { now: number }
  readonly files: SystemFiles
}

let count = 0
function etc(texts: { resolvConf?: string; hosts?: string; nsswitch?: string }): Etc {
  const own = join(folder, `${count++}`)
  mkdirSync(own)
  const paths = {
    resolvConf: join(own, "resolv.conf"),
    hosts: join(own, "hosts"),
    nsswitch: join(own, "nsswitch.conf"),
    port: 53,
  }
  for (const name of ["resolvConf", "hosts", "nsswitch"] as const) {
    if (texts[name] !== undefined) writeFileSync(paths[name], texts[name])
  }
  const time = { now: 0 }
  return { paths, time, files: new SystemFiles(() => time.now, paths) }
}

const resolv = (text: string) => etc({ resolvConf: text }).files.resolvConf
const servers = (text: string) => resolv(text).servers.map(({ host }) => host)

describe("resolv.conf", () => {
  test.each([
    ["nameserver 10.0.0.53\nnameserver fd00::53\n", ["10.0.0.53", "fd00::53"]],
    ["nameserver\t10.0.0.53   # first\n;nameserver 10.0.0.54\n", ["10.0.0.53"]],
    ["nameserver 10.0.0.53\r\n", ["10.0.0.53"]],
    ["nameserver not-an-address\n", ["127.0.0.1"]],
    ["", ["127.0.0.1"]],
    ["nameserver 1.1.1.1\n".repeat(12), new Array<string>(8).fill("1.1.1.1")],
  ])("servers of %j", (text, expected) => expect(servers(text)).toEqual(expected))

  test("the last search or domain line counts", () => {
    expect(resolv("search a.test b.test.\n").search).toEqual(["a.test", "b.test"])
    expect(resolv("domain a.test\nsearch b.test c.test\n").search).toEqual(["b.test", "c.test"])
    expect(resolv("search b.test c.test\ndomain a.test ignored\n").search).toEqual(["a.test"])
    expect(resolv("search .\n").search).toEqual([])
  })

  test.each([
    ["", { ndots: 1, timeoutMs: 2_000, attempts: 2, tcp: false, rotate: false }],
    [
      "options ndots:5 timeout:1 attempts:3 rotate use-vc\n",
      { ndots: 5, timeoutMs: 1_000, attempts: 3, tcp: true, rotate: true },
    ],
    ["options ndots:99 timeout:600 attempts:0\n", { ndots: 15, timeoutMs: 5_000, attempts: 1 }],
    ["options ndots:x timeout: attempts:-1\n", { ndots: 1, timeoutMs: 2_000, attempts: 2 }],
    ["options ndots:2\noptions timeout:3\n", { ndots: 2, timeoutMs: 3_000 }],
  ])("options of %j", (text, expected) => expect(resolv(text)).toMatchObject(expected))
})

test("hosts: names in any case, several lines of one name, comments", () => {
  const { files } = etc({
    hosts:
      "127.0.0.1 localhost # here\n::1 localhost ip6-localhost\n10.0.0.1\tWeb web.test\n" +
      "10.0.0.1 web\nnonsense x\n# 9.9.9.9 y\n",
  })
  expect(files.hostEntries("localhost")).toEqual([
    { ip: "127.0.0.1", family: 4 },
    { ip: "::1", family: 6 },
  ])
  expect(files.hostEntries("WEB.")).toEqual([{ ip: "10.0.0.1", family: 4 }])
  for (const name of ["x", "y", "here", ""]) expect(files.hostEntries(name)).toEqual([])
})

test.each([
  ["hosts: files dns\n", false],
  ["hosts:\tfiles [NOTFOUND=return] dns # mdns\n", false],
  ["hosts: files mdns4_minimal [NOTFOUND=return] dns\n", true],
  ["passwd: files ldap\n", false],
  ["", false],
])("nsswitch.conf %j has other sources: %p", (text, expected) => {
  expect(etc({ nsswitch: text }).files.hasOtherSources).toBe(expected)
})

test("a file that comes later or changes is read at the next look, one that goes is empty again", () => {
  const each = etc({})
  const host = () => each.files.hostEntries("web")
  expect(host()).toEqual([])
  writeFileSync(each.paths.hosts, "10.0.0.1 web\n")
  expect(host()).toEqual([])
  each.time.now += 100
  expect(host()).toEqual([{ ip: "10.0.0.1", family: 4 }])
  writeFileSync(each.paths.hosts, "10.0.0.2 web web2\n")
  each.time.now += 100
  expect(host()).toEqual([{ ip: "10.0.0.2", family: 4 }])
  rmSync(each.paths.hosts)
  each.time.now += 100
  expect(host()).toEqual([])
})

test("what is no regular file is taken for empty", () => {
  const each = etc({})
  mkdirSync(each.paths.resolvConf)
  expect(each.files.resolvConf.servers).toEqual([{ host: "127.0.0.1", port: 53 }])
})
