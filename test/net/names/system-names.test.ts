/** When other domains and the C library are asked for a name, beside the hosts file and DNS. */
import { expect, onTestFinished, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DnsClient } from "../../../src/net/names/dns-client.ts"
import { SystemFiles } from "../../../src/net/names/system-files.ts"
import { SystemNames } from "../../../src/net/names/system-names.ts"
import type { LookupAnswer } from "../../../src/net/names/resolver.ts"
import { type Scripted, ScriptedNames } from "../../support/scripted-names.ts"

const now = (): number => performance.now()

function systemFiles(server: ScriptedNames, resolvConf: string, sources: string): SystemFiles {
  const folder = mkdtempSync(join(tmpdir(), "bunlb-system-"))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const path = (file: string): string => join(folder, file)
  const options = "nameserver 127.0.0.1\noptions timeout:1 attempts:1 ndots:5\n"
  writeFileSync(path("resolv.conf"), options + resolvConf)
  writeFileSync(path("nsswitch.conf"), `hosts: ${sources}\n`)
  const paths = { resolvConf: path("resolv.conf"), hosts: path("hosts") }
  return new SystemFiles(now, { ...paths, nsswitch: path("nsswitch.conf"), port: server.port })
}

/** What was asked of the library after `said` came from DNS. */
async function askedOfLibrary(name: string, sources: string, said: Scripted): Promise<string[]> {
  const server = await ScriptedNames.start(() => said)
  const files = systemFiles(server, "", sources)
  const asked: string[] = []
  const library = async (each: string): Promise<readonly LookupAnswer[]> => {
    asked.push(each)
    return [{ address: "10.9.9.9", family: 4, ttl: 0 }]
  }
  const names = new SystemNames(new DnsClient(now), files, [4], now, library)
  const answers = await names.addresses(name).catch(() => [])
  expect(answers.map(({ address }) => address)).toEqual(asked.map(() => "10.9.9.9"))
  return asked
}

test.each([
  ["files resolve [!UNAVAIL=return] dns", "web.test", "NXDOMAIN", true],
  ["files mdns4_minimal [NOTFOUND=return] dns", "web.test", [], true],
  ["files dns myhostname", "web.test", "REFUSED", true],
  ["files sss dns", "web.test", "SERVFAIL", true],
  ["files sss dns", "web.test", "SILENT", false],
  ["files mdns4 dns", "printer.local", "SILENT", true],
  ["files mymachines dns", "box", "SILENT", true],
  ["files dns", "web.test", "NXDOMAIN", false],
  ["dns [!UNAVAIL=return] files", "box", "SERVFAIL", false],
] as const)("hosts: %s, %s, DNS says %p", async (sources, name, said, expected) => {
  expect(await askedOfLibrary(name, sources, said)).toEqual(expected ? [name] : [])
})

test("search domains whose servers are silent do not hide the name itself", async () => {
  const server = await ScriptedNames.start(({ name }) =>
    name === "web.test" ? [{ type: "A", data: "10.0.0.1" }] : "SILENT",
  )
  const files = systemFiles(server, "search a.test b.test\n", "files dns")
  // A clock by which each silence takes all the time that there is for one look-up.
  const fast = (): number => performance.now() * 20
  const names = new SystemNames(new DnsClient(now), files, [4], fast)
  const told = async (): Promise<string> => {
    const answers = await names.addresses("web.test").catch(() => [])
    return answers.map(({ address }) => address).join(" ")
  }
  expect([await told(), await told(), await told()]).toEqual(["", "", "10.0.0.1"])
  // What came to be found has its place for good, and is asked for before the silent ones.
  const before = server.questions.length
  expect(await told()).toBe("10.0.0.1")
  expect(server.questions.slice(before).map(({ name }) => name)).toEqual(["web.test"])
}, 20_000)
