/** What a release is made of, as far as it can be tried without making one: that takes minutes and a network. */
import { afterAll, expect, test } from "bun:test"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import manifest from "../../package.json" with { type: "json" }
import { billOfMaterials } from "../../scripts/release/bill-of-materials.ts"
import { checkFormat } from "../../scripts/release/format.ts"
import { readSource } from "../../scripts/release/source.ts"
import { hostTarget, targets } from "../../scripts/release/targets.ts"
import { root } from "../support/source.ts"

const folder = mkdtempSync(join(tmpdir(), "bunlb-release-"))
afterAll(() => rmSync(folder, { recursive: true }))

const source = { version: "1.2.3", commit: "c0ffee", date: "2026-01-02T03:04:05Z" }

test("the bill of materials names Bun and each package as the lock file has it", () => {
  const text = billOfMaterials(source)
  expect(billOfMaterials(source)).toBe(text)
  const { bomFormat, metadata, components, serialNumber } = JSON.parse(text)
  expect(bomFormat).toBe("CycloneDX")
  expect(serialNumber).toMatch(
    /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  )
  expect([metadata.timestamp, metadata.component.version]).toEqual([source.date, source.version])
  const { citty, consola } = manifest.dependencies
  const purls = components.map(({ purl }: { readonly purl: string }) => purl)
  expect(purls).toEqual([
    `pkg:npm/bun@${manifest.engines.bun}`,
    `pkg:npm/citty@${citty}`,
    `pkg:npm/consola@${consola}`,
  ])
  expect(components[1].hashes[0].content).toMatch(/^[0-9a-f]{128}$/)
})

test("a file for another platform is not taken for this one's", () => {
  const host = targets.find(({ name }) => name === hostTarget())
  if (host === undefined) return expect(process.platform).not.toMatch(/linux|darwin/)
  expect(checkFormat(process.execPath, host)).toContain(host.machine)
  for (const other of targets) {
    if (other === host) continue
    expect(() => checkFormat(process.execPath, other)).toThrow(/^is (no|not) /)
  }
})

test("the source is a commit and its date, or what a build without git is told", () => {
  const code = `console.log(JSON.stringify((await import("./scripts/release/source.ts")).readSource()))`
  const told = Bun.spawnSync([process.execPath, "-e", code], {
    cwd: root,
    env: { COMMIT: "c0ffee", SOURCE_DATE_EPOCH: "1767323045" },
  })
  expect(JSON.parse(told.stdout.toString())).toEqual({ ...source, version: manifest.version })
  expect(readSource().version).toBe(manifest.version)
})

test("a target that does not exist is refused before anything is built", () => {
  const scratch = mkdtempSync(join(folder, "scratch-"))
  const release = Bun.spawnSync([process.execPath, "scripts/release.ts", "linux-z80"], {
    cwd: root,
    env: { ...process.env, TMPDIR: scratch },
  })
  expect(release.exitCode).toBe(2)
  expect(readdirSync(scratch)).toEqual([])
  expect(release.stderr.toString()).toStartWith(
    "release: no such target: linux-z80; there are linux-x64",
  )
})
