/** docs/metrics.md is what the families say: BUNLB_UPDATE_DOCS=1 writes it anew. */
import { expect, test } from "bun:test"
import { join } from "node:path"
import { labelMeanings, metricsPage } from "../../src/observe/document.ts"
import { families } from "../../src/observe/families.ts"
import { defaultSettings } from "../../src/config/resolve.ts"
import { TestBalancer } from "../support/balancer.ts"

const path = join(import.meta.dir, "../../docs/metrics.md")

test("the page is up to date", async () => {
  if (process.env.BUNLB_UPDATE_DOCS === "1") await Bun.write(path, metricsPage())
  const text = await Bun.file(path).text()
  expect(text, "write it: BUNLB_UPDATE_DOCS=1 bun test document").toBe(metricsPage())
})

test("every label has a meaning, and every meaning a label", () => {
  const used = new Set(families.flatMap(({ labels = [] }) => labels))
  expect(Object.keys(labelMeanings).toSorted()).toEqual([...used].toSorted())
})

test("a worker says no label that its family has not", async () => {
  const backend = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("hello") })
  const own = defaultSettings({ platform: "linux", cpus: 1 }).listeners
  // The default one has no label.
  const listeners = own.map((each) => ({ ...each, name: "web", host: "127.0.0.1", port: 0 }))
  const balancer = await TestBalancer.start([backend.port ?? 0], { listeners })
  await fetch(`http://127.0.0.1:${balancer.port}/`)
  const { samples } = balancer.report()
  await backend.stop(true)
  const said = Object.entries(samples).flatMap(([name, series]) =>
    Object.keys(series).map((labels) => {
      const family = name.replace(/_(bucket|sum|count)$/, "")
      return [
        family,
        [...labels.matchAll(/(\w+)="[^"]*"/g)].map(([, label = ""]) => label),
      ] as const
    }),
  )
  expect(said.length).toBeGreaterThan(20)
  for (const [name, found] of said) {
    const { labels = [], merge } = families.find((family) => family.name === name) ?? { merge: "" }
    const wanted = merge === "worker" ? [] : labels
    expect([name, found.filter((label) => label !== "le")]).toEqual([name, [...wanted]])
  }
})
