/** Every link of README.md and docs/ leads to a file, and to a heading of it where it names one. */
import { expect, test } from "bun:test"
import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { root } from "../support/source.ts"
import { pages } from "./pages.ts"

/** As GitHub makes them of headings. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  )
}

test.each(pages().map((page) => [page.path, page] as const))("%s", (_path, page) => {
  const links = [...page.text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = ""]) => link)
  const lost = links.filter((link) => {
    const [to = "", anchor] = link.split("#")
    if (/^https?:/.test(to)) return false
    const path = to === "" ? join(root, page.path) : join(root, dirname(page.path), to)
    if (!existsSync(path)) return true
    return anchor !== undefined && !anchorsOf(readFileSync(path, "utf8")).includes(anchor)
  })
  expect(lost).toEqual([])
})

test("README.md leads to every page", () => {
  const all = pages()
  const readme = all.find(({ path }) => path === "README.md")?.text ?? ""
  const unknown = all.filter(({ path }) => path !== "README.md" && !readme.includes(`(${path})`))
  expect(unknown.map(({ path }) => path)).toEqual([])
})
