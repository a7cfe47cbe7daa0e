/** The page that is served is the one that its sources make, whole, and under a policy that runs no other script. */
import { describe, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { buildDashboard, dashboardFile } from "../../../scripts/dashboard.ts"
import { errorsOf, needless } from "../../../scripts/check-types.ts"
import { showDashboard } from "../../../src/admin/dashboard.ts"
import { root } from "../../support/source.ts"

const folder = join(root, "src/admin/dashboard")

function served(): { page: string; policy: string } {
  const { headers, body } = showDashboard()
  const page = body instanceof ReadableStream ? "" : Buffer.concat([...body]).toString()
  return { page, policy: headers["content-security-policy"] ?? "" }
}

describe("the built dashboard", () => {
  test("is what its sources make; `bun run dashboard` builds it", async () => {
    const { html } = await buildDashboard()
    expect(readFileSync(dashboardFile, "utf8") === html, "run `bun run dashboard`").toBe(true)
  })

  test("holds every file of its folder, and none of another", async () => {
    const { files } = await buildDashboard()
    const all = [...new Bun.Glob("**/*.{ts,css,html}").scanSync({ cwd: folder })]
    expect(files.toSorted()).toEqual(all.toSorted())
  })

  test("is one page that names no other address", () => {
    const { page } = served()
    expect(page).not.toMatch(/<link[^>]*stylesheet|<script[^>]* src=|@import|\burl\(/)
    const addresses = page.match(/\bhttps?:\/\/[\w.]+/g) ?? []
    expect(new Set(addresses)).toEqual(new Set(["http://www.w3.org"]))
  })

  test("is served with the hashes of its one script and its one style", () => {
    const { page, policy } = served()
    for (const tag of ["script", "style"]) {
      const found = [...page.matchAll(new RegExp(`<${tag}[^>]*>(.*?)</${tag}>`, "gs"))]
      expect(found).toHaveLength(1)
      const hash = new Bun.CryptoHasher("sha256").update(found[0]?.[1] ?? "").digest("base64")
      expect(policy).toContain(`${tag}-src 'sha256-${hash}'`)
    }
  })
})

test("the sources of the dashboard use what a browser has", () => {
  for (const path of new Bun.Glob("**/*.ts").scanSync({ cwd: folder })) {
    const text = readFileSync(join(folder, path), "utf8")
    expect(text, path).not.toMatch(/\b(Bun|process|Buffer|require)\b[.(]|from "(node|bun):/)
  }
})

test("the type check counts each error of the files that it is asked about, and no old list", () => {
  const output =
    "src/a.ts(1,2): error TS2532: x\n  more of it\nsrc/b/c.ts(3,4): error TS1: y\n2 errors"
  expect(errorsOf(output, () => true)).toHaveLength(2)
  expect(errorsOf(output, (file) => file === "src/b/c.ts")).toEqual([
    "src/b/c.ts(3,4): error TS1: y",
  ])
  expect(needless(output, ["src/a.ts"])).toEqual([])
  expect(needless(output, ["src/a.ts", "src/d.ts"])).toHaveLength(1)
})
