/**
 * Every figure that bunlb publishes, said once: name, kind, help, and how the views of several workers become
 * one. The names follow the Prometheus rules (base units, `_total` on counters).
 */
export type MergeRule =
  /** Added up over workers, and over workers that have died (counters) or still live (gauges). */
  | "sum"
  /** The largest of the live workers' values: a backend is up when one worker finds it up. */
  | "max"
  /** Kept apart, with `worker="N"` added to the labels. */
  | "worker"
  /** Set by the fleet itself; a worker never reports it. */
  | "fleet"

export interface Family {
  readonly name: string
  readonly kind: "counter" | "gauge" | "histogram"
  readonly help: string
  readonly merge: MergeRule
  /** Names of its labels; none when left out. `le` of a histogram goes without saying. */
  readonly labels?: readonly string[]
}

export const families: readonly Family[] = [
  {
    name: "bunlb_requests_total",
    kind: "counter",
    help: "Responses sent to clients, by backend and status code; backend is empty when bunlb itself answered.",
    merge: "sum",
    labels: ["backend", "code"],
  },
  {
    name: "bunlb_request_duration_seconds",
    kind: "histogram",
    help: "Time from the last byte of the request head to the last byte of the response, by backend.",
    merge: "sum",
    labels: ["backend"],
  },
  {
    name: "bunlb_backend_up",
    kind: "gauge",
    help: "1 when the backend is healthy, whether it may be used or not; see bunlb_backend_usable.",
    merge: "max",
    labels: ["backend"],
  },
  {
    name: "bunlb_backend_usable",
    kind: "gauge",
    help: "1 when new requests may go to the backend: healthy for at least one worker, neither draining nor disabled.",
    merge: "fleet",
    labels: ["backend"],
  },
  {
    name: "bunlb_backend_state",
    kind: "gauge",
    help: "1 for the state that the backend is in, 0 for the others.",
    merge: "fleet",
    labels: ["backend", "state"],
  },
  {
    name: "bunlb_backend_against",
    kind: "gauge",
    help: "1 for what is against an unhealthy backend: requests, or only its probes (page, silent, probes).",
    merge: "fleet",
    labels: ["backend", "record"],
  },
  {
    name: "bunlb_backend_weight",
    kind: "gauge",
    help: "Weight in effect, with manual changes; only the strategies weighted and sticky use it.",
    merge: "fleet",
    labels: ["backend"],
  },
  {
    name: "bunlb_backends",
    kind: "gauge",
    help: "Backends in effect: configured, discovered or added at run time, and not removed.",
    merge: "fleet",
  },
  {
    name: "bunlb_backends_usable",
    kind: "gauge",
    help: "Backends that are usable; 0: clients get errors, or unhealthy backends are tried.",
    merge: "fleet",
  },
  {
    name: "bunlb_pool_backends",
    kind: "gauge",
    help: "Backends in effect, by pool; the default pool is named too.",
    merge: "fleet",
    labels: ["pool"],
  },
  {
    name: "bunlb_pool_backends_usable",
    kind: "gauge",
    help: "Backends of the pool that are usable; 0: its clients get errors, or unhealthy backends are tried.",
    merge: "fleet",
    labels: ["pool"],
  },
  {
    name: "bunlb_backend_connections",
    kind: "gauge",
    help: "Connections to the backend, by state: active, idle or dialing.",
    merge: "sum",
    labels: ["backend", "state"],
  },
  {
    name: "bunlb_pool_reuses_total",
    kind: "counter",
    help: "Requests sent on a pooled connection.",
    merge: "sum",
    labels: ["backend"],
  },
  {
    name: "bunlb_dials_total",
    kind: "counter",
    help: "Connections begun, by result.",
    merge: "sum",
    labels: ["backend", "result"],
  },
  {
    name: "bunlb_retries_total",
    kind: "counter",
    help: "Requests sent again, by reason.",
    merge: "sum",
    labels: ["reason"],
  },
  {
    name: "bunlb_failovers_total",
    kind: "counter",
    help: "Requests that moved to another backend.",
    merge: "sum",
  },
  {
    name: "bunlb_stale_retries_total",
    kind: "counter",
    help: "Requests sent again because a pooled connection had died.",
    merge: "sum",
  },
  {
    name: "bunlb_reuse_losses_total",
    kind: "counter",
    help: "Requests answered 502 because a pooled connection had died and they must not be sent twice.",
    merge: "sum",
  },
  {
    name: "bunlb_retry_budget_exhausted_total",
    kind: "counter",
    help: "Retries not made because the budget was spent.",
    merge: "sum",
  },
  {
    name: "bunlb_backend_failures_total",
    kind: "counter",
    help: "Failures the breaker counted, by backend and reason.",
    merge: "sum",
    labels: ["backend", "reason"],
  },
  {
    name: "bunlb_breaker_transitions_total",
    kind: "counter",
    help: "Changes of health, by backend and the state entered.",
    merge: "sum",
    labels: ["backend", "to"],
  },
  {
    name: "bunlb_probes_total",
    kind: "counter",
    help: "Probes, by backend and result.",
    merge: "sum",
    labels: ["backend", "result"],
  },
  {
    name: "bunlb_client_connections",
    kind: "gauge",
    help: "Client connections open now, by listener.",
    merge: "sum",
    labels: ["listener"],
  },
  {
    name: "bunlb_client_connections_total",
    kind: "counter",
    help: "Client connections accepted, by listener.",
    merge: "sum",
    labels: ["listener"],
  },
  {
    name: "bunlb_client_aborts_total",
    kind: "counter",
    help: "Exchanges that the client left before the response was complete.",
    merge: "sum",
  },
  {
    name: "bunlb_rejected_requests_total",
    kind: "counter",
    help: "Requests refused by bunlb, by reason.",
    merge: "sum",
    labels: ["reason"],
  },
  {
    name: "bunlb_truncated_responses_total",
    kind: "counter",
    help: "Responses that a backend cut short after the first byte.",
    merge: "sum",
  },
  {
    name: "bunlb_undelivered_responses_total",
    kind: "counter",
    help: "Responses that bunlb ended before the client had all bytes, by reason: client_read, stop.",
    merge: "sum",
    labels: ["reason"],
  },
  {
    name: "bunlb_bytes_total",
    kind: "counter",
    help: "Bytes by direction: from_client, to_client, from_backend, to_backend.",
    merge: "sum",
    labels: ["direction"],
  },
  { name: "bunlb_tunnels", kind: "gauge", help: "Upgraded connections open now.", merge: "sum" },
  {
    name: "bunlb_panic_picks_total",
    kind: "counter",
    help: "Requests sent to a backend although none was healthy.",
    merge: "sum",
  },
  {
    name: "bunlb_access_log_dropped_total",
    kind: "counter",
    help: "Lines of the access log that its file or reader did not take in time.",
    merge: "sum",
  },
  {
    name: "bunlb_worker_connections",
    kind: "gauge",
    help: "Client connections open now, by worker.",
    merge: "worker",
    labels: ["worker"],
  },
  {
    name: "bunlb_worker_restarts_total",
    kind: "counter",
    help: "Workers started again, by reason.",
    merge: "fleet",
    labels: ["reason"],
  },
  { name: "bunlb_workers", kind: "gauge", help: "Workers that serve now.", merge: "fleet" },
  {
    name: "bunlb_discovery_members",
    kind: "gauge",
    help: "Backends that a discovered one stands for now.",
    merge: "fleet",
    labels: ["name"],
  },
  {
    name: "bunlb_discovery_stale",
    kind: "gauge",
    help: "1 while DNS fails or finds nothing: the last good answer serves on.",
    merge: "fleet",
    labels: ["name"],
  },
  {
    name: "bunlb_discovery_lookups_total",
    kind: "counter",
    help: "Answers of DNS, by discovered backend and result: ok, empty or failed.",
    merge: "fleet",
    labels: ["name", "result"],
  },
  {
    name: "bunlb_discovery_member_info",
    kind: "gauge",
    help: "1 for each backend that was discovered, with the one in whose place it stands.",
    merge: "fleet",
    labels: ["name", "backend"],
  },
  {
    name: "bunlb_config_reloads_total",
    kind: "counter",
    help: "Configuration reloads, by result.",
    merge: "fleet",
    labels: ["result"],
  },
  {
    name: "bunlb_build_info",
    kind: "gauge",
    help: "1, labelled with the version of bunlb and of Bun.",
    merge: "fleet",
    labels: ["version", "bun"],
  },
  {
    name: "bunlb_process_cpu_seconds_total",
    kind: "counter",
    help: "CPU time used, by process.",
    merge: "fleet",
    labels: ["process"],
  },
  {
    name: "bunlb_process_resident_memory_bytes",
    kind: "gauge",
    help: "Resident memory, by process.",
    merge: "fleet",
    labels: ["process"],
  },
  {
    name: "bunlb_process_open_fds",
    kind: "gauge",
    help: "Open file descriptors, by process.",
    merge: "fleet",
    labels: ["process"],
  },
  {
    name: "bunlb_process_start_time_seconds",
    kind: "gauge",
    help: "Start of the process since 1970, by process.",
    merge: "fleet",
    labels: ["process"],
  },
]
