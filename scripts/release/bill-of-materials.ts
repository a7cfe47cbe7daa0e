/** The bill of materials in CycloneDX 1.5 JSON: what is inside an executable. Of one commit it is always the same. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import manifest from "../../package.json" with { type: "json" }
import { root } from "./source.ts"
import type { Source } from "./source.ts"

/** `name@version` first, the integrity last. */
type LockEntry = readonly [string, ...unknown[]]

export function billOfMaterials(source: Source): string {
  const components = [
    component("application", "bun", manifest.engines.bun, "MIT", null),
    ...Object.keys(manifest.dependencies).map(packageComponent),
  ]
  const bunlb = component("application", "bunlb", source.version, manifest.license, null)
  const document = {
    bomFormat: "CycloneDX",
    specVersion: "1.5",
    serialNumber: `urn:uuid:${uuidOf(`bunlb ${source.version} ${source.commit}`)}`,
    version: 1,
    metadata: {
      ...(source.date === "unknown" ? {} : { timestamp: source.date }),
      component: { ...bunlb, properties: [{ name: "bunlb:commit", value: source.commit }] },
    },
    components,
    dependencies: [
      { ref: bunlb["bom-ref"], dependsOn: components.map((each) => each["bom-ref"]) },
      ...components.map((each) => ({ ref: each["bom-ref"] })),
    ],
  }
  return `${JSON.stringify(document, null, 2)}\n`
}

function packageComponent(name: string): ReturnType<typeof component> {
  const lock = Bun.JSONC.parse(readFileSync(join(root, "bun.lock"), "utf8")) as {
    readonly packages: Readonly<Record<string, LockEntry | undefined>>
  }
  const entry = lock.packages[name]
  if (entry === undefined) throw new Error(`bun.lock does not know ${name}`)
  const version = entry[0].slice(name.length + 1)
  const integrity = /^sha512-(.+)$/.exec(String(entry.at(-1)))?.[1] ?? null
  const { license } = JSON.parse(
    readFileSync(join(root, "node_modules", name, "package.json"), "utf8"),
  ) as { readonly license: string }
  return component("library", name, version, license, integrity)
}

/** `integrity` is a SHA-512 in base64. */
function component(
  type: "application" | "library",
  name: string,
  version: string,
  license: string,
  integrity: string | null,
) {
  const purl = type === "library" || name === "bun" ? `pkg:npm/${name}@${version}` : null
  const hex = integrity === null ? null : Buffer.from(integrity, "base64").toString("hex")
  return {
    type,
    "bom-ref": purl ?? `${name}@${version}`,
    name,
    version,
    licenses: [{ license: { id: license } }],
    ...(purl === null ? {} : { purl }),
    ...(hex === null ? {} : { hashes: [{ alg: "SHA-512", content: hex }] }),
  }
}

/** A name-based one, so that it does not change between builds. */
function uuidOf(text: string): string {
  const digest = new Bun.CryptoHasher("sha256").update(text).digest("hex")
  const variant = ((Number.parseInt(digest.slice(16, 17), 16) & 3) | 8).toString(16)
  const parts = [digest.slice(0, 8), digest.slice(8, 12), `8${digest.slice(13, 16)}`]
  return [...parts, variant + digest.slice(17, 20), digest.slice(20, 32)].join("-")
}
