/** What is measured: each scenario is one kind of traffic that balancers meet, and nothing else at the same time. */
import { descriptorLimit } from "../../src/worker/descriptors.ts"
import type { Traffic } from "./traffic.ts"

export interface Scenario extends Traffic {
  /** What the reader of the page is told. */
  readonly text: string
  /** Connections that are busy during the measurement. */
  readonly connections: number
  /** Connections that have made one request before and say nothing any more. */
  readonly idle: number
  readonly tls: boolean
  /** Workers or threads, each with a core of its own as far as there are any. */
  readonly workers: number
  /** Whether latency at half load is measured as well. */
  readonly paced: boolean
  /** Whether system calls are counted as well, if they are asked for. */
  readonly counted: boolean
  /** Time for so many connections to be made, which is not measured. */
  readonly settleSeconds: number
  /** Highest ratio of CPU to the better of nginx and HAProxy that bunlb is meant to have; null: no aim. */
  readonly aim: number | null
}

/** 10,000, or what the descriptor limit allows: bunlb keeps one for a backend ready beside each client's. */
const IDLE = Math.min(10_000, Math.floor((descriptorLimit() - 2000) / 2))

const browserFields = [
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0",
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
  "Accept-Language: en-GB,en;q=0.7,de;q=0.3",
  "Accept-Encoding: gzip, deflate, br, zstd",
  "Referer: https://www.example.org/catalogue/shoes?page=3&sort=price",
  "Cookie: theme=dark; consent=1; sid=0f8c1b6a5d9e47b2a1c3; _ga=GA1.2.1234567890.1700000000",
  "Upgrade-Insecure-Requests: 1",
  "Sec-Fetch-Dest: document",
  "Sec-Fetch-Mode: navigate",
  "Sec-Fetch-Site: same-origin",
  "Priority: u=0, i",
]

const usual: Omit<Scenario, "text"> = {
  path: "/small",
  fields: [],
  kind: "same",
  connections: 64,
  idle: 0,
  tls: false,
  workers: 1,
  paced: true,
  counted: false,
  settleSeconds: 0,
  aim: 1,
}

export const scenarios = {
  small: { ...usual, text: "wrk's own head of 45 bytes, an answer of 18 bytes", counted: true },
  browser: {
    ...usual,
    text: "a browser's head of 650 bytes, an answer with 12 fields",
    path: "/browser",
    fields: browserFields,
  },
  varied: {
    ...usual,
    text: "a browser's head with another path, cookie and id in every request",
    path: "/browser",
    fields: browserFields.filter((field) => !field.startsWith("Cookie:")),
    kind: "varied",
    paced: false,
  },
  "16kb": { ...usual, text: "an answer of 16 KB", path: "/16kb" },
  "100kb": {
    ...usual,
    text: "an answer of 100 KB",
    path: "/100kb",
    paced: false,
    counted: true,
    aim: 0.9,
  },
  "1mb": { ...usual, text: "an answer of 1 MB", path: "/1mb", paced: false, aim: 0.9 },
  chunked: {
    ...usual,
    text: "an answer of 2 KB in three chunks",
    path: "/chunked",
    paced: false,
    counted: true,
  },
  post16k: {
    ...usual,
    text: "a POST of 16 KiB, an answer of 18 bytes",
    kind: "post",
    counted: true,
  },
  close: {
    ...usual,
    text: "small, with a new client connection for each request",
    fields: ["Connection: close"],
    paced: false,
    counted: true,
    aim: 1.1,
  },
  conns2000: {
    ...usual,
    text: "small, over 2,000 busy connections",
    connections: 2000,
    settleSeconds: 1,
  },
  idle10k: {
    ...usual,
    text: `small, over 64 busy connections beside ${IDLE.toLocaleString("en")} idle ones`,
    idle: IDLE,
    aim: null,
  },
  tls: {
    ...usual,
    text: "small, over TLS to the backend, its certificate not verified",
    tls: true,
  },
  "two-workers": {
    ...usual,
    text: "small, two workers or threads; load and origin share their cores",
    workers: 2,
    paced: false,
    aim: null,
  },
} as const satisfies Record<string, Scenario>

export type ScenarioName = keyof typeof scenarios
export const scenarioNames = Object.keys(scenarios) as ScenarioName[]
