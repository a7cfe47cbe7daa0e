/**
 * Builds the dashboard: src/admin/dashboard/page.html with its style and its modules inside, as the one page
 * src/admin/dashboard.html, which is what both `bun src/main.ts` and the executable serve. The page is kept in the
 * repository, because Bun cannot bundle from within a macro and bundling in the master would cost it memory.
 *
 *   bun run dashboard
 */
import { join, relative } from "node:path"

const source = join(import.meta.dir, "../src/admin/dashboard")

export const dashboardFile = `${source}.html`

/** The page, and the files that are in it, from the folder of the dashboard. */
export async function buildDashboard(): Promise<{ html: string; files: string[] }> {
  const built = await Bun.build({
    entrypoints: [join(source, "page.html")],
    root: source,
    target: "browser",
    compile: true,
    minify: true,
    metafile: true,
  })
  const [page, ...others] = built.outputs
  if (page === undefined || others.length > 0) throw new Error("the dashboard is not one page")
  const files = Object.keys(built.metafile?.inputs ?? {}).map((path) => relative(source, path))
  return { html: await page.text(), files }
}

if (import.meta.main) {
  const { html } = await buildDashboard()
  await Bun.write(dashboardFile, html)
  console.log(`src/admin/dashboard.html: ${(html.length / 1e3).toFixed(1)} kB`)
}
