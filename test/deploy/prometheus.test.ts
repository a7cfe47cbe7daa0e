/**
 * Metrics as others use them: a real Prometheus scrapes a running bunlb, and every query of the dashboard for Grafana
 * and of the alert rules means something to it and names only figures that there are.
 */
import { expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import dashboard from "../../scripts/deploy/grafana-dashboard.json" with { type: "json" }
import { families } from "../../src/observe/families.ts"
import { RunningBackend, RunningBunlb } from "../e2e/running-bunlb.ts"
import { Server, run, testWith } from "../matrix/programs.ts"
import { root } from "../support/source.ts"
import { PATIENCE_MS, until } from "../support/until.ts"

const LIMIT_MS = 30_000
const alerts = join(root, "scripts", "deploy", "prometheus-alerts.yml")

/** Grafana's variables as one who looks at everything would have them. */
const queries = dashboard.panels
  .flatMap((panel) => ("targets" in panel ? (panel.targets ?? []) : []))
  .map(({ expr }) => expr.replaceAll(/\$(job|instance|backend)\b/g, ".*"))
  .map((query) => query.replaceAll("$__rate_interval", "10s"))

interface Rules {
  readonly groups: readonly { readonly rules: readonly { readonly expr: string }[] }[]
}

const promtoolTest = testWith("promtool")
const prometheusTest = testWith("prometheus")

test("the dashboard and the alerts name only figures that there are", async () => {
  const { groups } = Bun.YAML.parse(await Bun.file(alerts).text()) as Rules
  const expressions = [...queries, ...groups.flatMap(({ rules }) => rules.map(({ expr }) => expr))]
  expect(expressions.length).toBeGreaterThan(35)
  const known = new Set(
    families.flatMap(({ name, kind }) =>
      kind === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    ),
  )
  const named = expressions.flatMap((each) => each.match(/bunlb_\w+/g) ?? [])
  expect([...new Set(named)].filter((name) => !known.has(name))).toEqual([])
})

test("neither asks for a job of a certain name", async () => {
  const texts = [await Bun.file(alerts).text(), JSON.stringify(dashboard)]
  for (const text of texts) expect(text).not.toMatch(/job=~?\\?"bunlb/)
})

test("the dashboard's panels lie beside each other, not over each other", () => {
  const places = new Set<string>()
  for (const { gridPos } of dashboard.panels) {
    expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24)
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        expect(places.has(`${x},${y}`)).toBe(false)
        places.add(`${x},${y}`)
      }
    }
  }
  expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length)
})

promtoolTest("promtool: the alert rules are right, and fire when they should", async () => {
  expect(await run(["promtool", "check", "rules", alerts])).toContain("SUCCESS: 12 rules found")
  const told = await run(["promtool", "test", "rules", join(import.meta.dir, "alerts.yml")])
  expect(told).toContain("SUCCESS")
})

prometheusTest(
  "prometheus scrapes bunlb, and answers every query",
  async () => {
    await using backend = await RunningBackend.start("one")
    await using bunlb = await RunningBunlb.start([backend], ["-w", "2"])
    await using prometheus = await Server.start(
      (port, folder) => command(port, folder, bunlb.adminPort),
      "/-/ready",
    )
    const ask = (query: string) => value(prometheus.port, query)
    const hello = async (): Promise<boolean> => {
      for (let i = 0; i < 5; i++) await (await fetch(`http://127.0.0.1:${bunlb.port}/`)).text()
      return (await ask('rate(bunlb_requests_total{code="200"}[10s])'))[0] !== undefined
    }
    await until(hello, 2 * PATIENCE_MS, "two scrapes")
    expect(await ask('up{job="web"}')).toEqual([1])
    expect(await ask("bunlb_backend_up")).toEqual([1])
    expect(await ask("bunlb_backends_usable")).toEqual([1])
    expect(await ask("bunlb_workers")).toEqual([2])
    expect((await ask("sum(bunlb_requests_total)"))[0]).toBeGreaterThan(4)
    const p99 = "histogram_quantile(0.99, sum by (le) (bunlb_request_duration_seconds_bucket))"
    expect((await ask(p99))[0]).toBeLessThan(5)
    for (const query of queries) await ask(query)
    const rules = await fetch(`http://127.0.0.1:${prometheus.port}/api/v1/rules`)
    const { data } = (await rules.json()) as { data: { groups: { rules: { health: string }[] }[] } }
    const loaded = data.groups.flatMap((group) => group.rules.map(({ health }) => health))
    expect(loaded).toHaveLength(12)
    expect(loaded).not.toContain("err")
  },
  LIMIT_MS,
)

function command(port: number, folder: string, adminPort: number): string[] {
  const file = join(folder, "prometheus.yml")
  const text = [
    "global: { scrape_interval: 1s, evaluation_interval: 1s }",
    `rule_files: [${JSON.stringify(alerts)}]`,
    "scrape_configs:",
    `  - { job_name: web, static_configs: [{ targets: ["127.0.0.1:${adminPort}"] }] }`,
  ]
  writeFileSync(file, `${text.join("\n")}\n`)
  const place = `--web.listen-address=127.0.0.1:${port}`
  const data = `--storage.tsdb.path=${join(folder, "data")}`
  return ["prometheus", `--config.file=${file}`, data, place, "--log.level=error"]
}

/** The values of an instant query; fails when Prometheus does not understand it. */
async function value(port: number, query: string): Promise<number[]> {
  const url = `http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(query)}`
  const answer = (await (await fetch(url)).json()) as {
    readonly status: string
    readonly error?: string
    readonly data: { readonly result: readonly { readonly value: readonly [number, string] }[] }
  }
  if (answer.status !== "success") throw new Error(`${query}: ${answer.error}`)
  return answer.data.result.map((series) => Number(series.value[1]))
}
