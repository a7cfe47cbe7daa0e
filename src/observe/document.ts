/** docs/metrics.md, written from the families so that it cannot fall behind them. */
import { table } from "../config/markdown.ts"
import { refusals } from "../http/refusal.ts"
import { families } from "./families.ts"
import type { Family, MergeRule } from "./families.ts"
import { DURATION_BOUNDS } from "./histogram.ts"

const introduction = `# Metrics

The admin address (127.0.0.1:9900) serves \`/metrics\` in the Prometheus text format. Figures are those of the whole
fleet: workers are added up, and what a worker counted stays counted when it dies. So does what was counted for a backend
that is removed, until bunlb ends or 64 others have been removed after it; its gauges go. Names and meanings are kept; new
ones may come. This page is generated from \`src/observe/families.ts\`.

\`\`\`yaml
scrape_configs:
  - job_name: bunlb
    static_configs: [{ targets: ["127.0.0.1:9900"] }]
\`\`\`

[\`scripts/deploy/grafana-dashboard.json\`](../scripts/deploy/grafana-dashboard.json) is a dashboard to import into Grafana,
[\`scripts/deploy/prometheus-alerts.yml\`](../scripts/deploy/prometheus-alerts.yml) has alert rules for Prometheus.
`

/** What each label may say. */
export const labelMeanings: Readonly<Record<string, string>> = {
  backend:
    "`HOST:PORT` as configured, `IP:PORT` when discovered, `POOL/HOST:PORT` in another pool than " +
    "`default`; empty for what bunlb answered by itself",
  bun: "Version of Bun",
  code: "Status code of the response",
  direction: "`from_client`, `to_client`, `from_backend` or `to_backend`",
  listener:
    "Name of the listener. The series of the listener `default` do not have it: they are as " +
    "without names",
  name:
    "A backend that is discovered, as configured: `dns+http://HOST:PORT`; `POOL/...` " +
    "in another pool than `default`",
  pool:
    "Name of the pool. Series of a backend have it as well, but not those of the pool `default`: " +
    "they are as without pools",
  process: "`master`, or `worker0` and so on",
  record:
    "What is against a backend: `requests`, or only its probes: `page` (an unexpected status), " +
    "`silent` (no response) or `probes` (no connection)",
  reason: "A few fixed words; those of refusals are below",
  result: "`ok` or `failed`; `empty` when DNS found nothing",
  state:
    "Of connections: `active`, `idle` or `dialing`. Of a backend: `up`, `degraded` " +
    "(down for some workers), `down`, `draining` or `disabled`",
  to: "`healthy` or `unhealthy`",
  version: "Version of bunlb",
  worker: "Index of the worker, from 0",
}

const merges: Readonly<Record<MergeRule, string>> = {
  sum: "sum",
  max: "largest",
  worker: "each apart",
  fleet: "of the fleet",
}

/** The whole page. */
export function metricsPage(): string {
  const rows = families.map(familyRow)
  const bounds = DURATION_BOUNDS.map((bound) => `${bound / 1000}`).join(", ")
  const meanings = Object.entries(labelMeanings).map(([name, text]) => [`\`${name}\``, text])
  const reasons = refusals
    .filter((refusal) => refusal !== null)
    .map(({ reason, status, text }) => [`\`${reason}\``, `${status}`, text.replaceAll("|", "\\|")])
  return [
    introduction,
    "## Families\n",
    `${table([["Name", "Kind", "Labels", "Over workers", "Meaning"], ...rows])}\n`,
    `Buckets of durations, in seconds: ${bounds}.\n`,
    "## Labels\n",
    `${table([["Label", "Values"], ...meanings])}\n`,
    "## Reasons of refusal\n",
    "`bunlb_rejected_requests_total` counts them; the text is what the client is told.\n",
    `${table([["Reason", "Status", "Text"], ...reasons])}\n`,
  ].join("\n")
}

function familyRow({ name, kind, help, merge, labels = [] }: Family): string[] {
  const shown = labels.map((label) => `\`${label}\``).join(", ")
  return [`\`${name}\``, kind, shown, merges[merge], help]
}
