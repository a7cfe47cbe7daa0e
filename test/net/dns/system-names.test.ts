/** When the C library is asked for a name, beside the hosts file and DNS. */
import { expect, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DnsClient } from "../../../src/net/dns/client.ts"
import { SystemFiles } from "../../../src/net/dns/system-files.ts"
import { SystemNames } from "../../../src/net/dns/system-names.ts"
import type { LookupAnswer } from "../../../src/net/resolver.ts"
import { type Scripted, ScriptedNames } from "../../support/scripted-names.ts"

const now = (): number => performance.now()

/** What was asked of the library after `said` came from DNS. */
async function askedOfLibrary(name: string, sources: string, said: Scripted): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), "bunlb-system-"))
  const server = await ScriptedNames.start(() => said)
  const path = (file: string): string => join(folder, file)
  writeFileSync(path("resolv.conf"), "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
  writeFileSync(path("nsswitch.conf"), `hosts: ${sources}\n`)
  const files = new SystemFiles(now, {
    resolvConf: path("resolv.conf"),
    hosts: path("hosts"),
    nsswitch: path("nsswitch.conf"),
    port: server.port,
  })
  const asked: string[] = []
  const library = async (each: string): Promise<readonly LookupAnswer[]> => {
    asked.push(each)
    return [{ address: "10.9.9.9", family: 4, ttl: 0 }]
  }
  const names = new SystemNames(new DnsClient(now), files, [4], now, library)
  const answers = await names.addresses(name).catch(() => [])
  expect(answers.map(({ address }) => address)).toEqual(asked.map(() => "10.9.9.9"))
  rmSync(folder, { recursive: true })
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
