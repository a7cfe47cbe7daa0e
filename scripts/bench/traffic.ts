/**
 * wrk as a function: load on one port, figures back. A script made for the occasion varies the requests, spaces
 * them out, and reports as JSON, so that nothing is read out of text that is meant for people.
 */
import { writeFileSync } from "node:fs"
import { join } from "node:path"

export interface Traffic {
  readonly path: string
  /** Whole lines without their end. */
  readonly fields: readonly string[]
  /** Always the same bytes; another path, cookie and id each time; or a POST of 16 KiB. */
  readonly kind: "same" | "varied" | "post"
}

export interface Load {
  readonly requests: number
  readonly perSecond: number
  readonly p50Us: number
  readonly p99Us: number
  readonly p999Us: number
  readonly maxUs: number
  /** Broken connections, timeouts and answers that are not 2xx or 3xx. */
  readonly errors: number
}

export interface LoadOptions {
  readonly port: number
  readonly connections: number
  readonly seconds: number
  readonly cores: string
  /** Where the script may lie. */
  readonly folder: string
  /** Mean pause of a connection between an answer and its next request; 0 for none. */
  readonly pauseMs: number
}

const report = `
function done(summary, latency)
  local e = summary.errors
  local errors = e.connect + e.read + e.write + e.status + e.timeout
  io.stderr:write(string.format(
    '{"requests":%d,"us":%d,"p50Us":%d,"p99Us":%d,"p999Us":%d,"maxUs":%d,"errors":%d}',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    latency:percentile(99.9), latency.max, errors))
end
`

/** Pauses of random length (exponential), so that arrivals do not march in step: about Poisson's. */
const pause = (meanMs: number): string => `
math.randomseed(4711)
function delay()
  local ms = -${meanMs.toFixed(3)} * math.log(1 - math.random())
  local whole = math.floor(ms)
  if math.random() < ms - whole then whole = whole + 1 end
  return whole
end
`

const varied = `
local head, tail
local number = 0
function init()
  local lines = {}
  for name, value in pairs(wrk.headers) do lines[#lines + 1] = name .. ": " .. value end
  head = " HTTP/1.1\\r\\n" .. table.concat(lines, "\\r\\n") .. "\\r\\nCookie: theme=dark; consent=1; sid="
  tail = "\\r\\n\\r\\n"
end
function request()
  number = number + 1
  local id = string.format("%08x%08x", number * 2654435761 % 4294967296, number)
  return table.concat({ "GET ", wrk.path, "/", id, "?page=", number, head, id, "; _ga=GA1.2.", number,
    "\\r\\nX-Request-Id: ", id, tail })
end
`

const post = `
wrk.method = "POST"
wrk.body = string.rep("x", 16384)
`

export async function putLoad(traffic: Traffic, options: LoadOptions): Promise<Load> {
  const { port, connections, seconds, cores, folder, pauseMs } = options
  const script = join(folder, "load.lua")
  const request = { same: "", varied, post }[traffic.kind]
  writeFileSync(script, request + (pauseMs > 0 ? pause(pauseMs) : "") + report)
  const shape = [
    "-t",
    "1",
    "--timeout",
    "10s",
    "-c",
    String(connections),
    "-d",
    `${seconds}s`,
    "-s",
    script,
  ]
  const headers = traffic.fields.flatMap((field) => ["-H", field])
  const url = `http://127.0.0.1:${port}${traffic.path}`
  const wrk = Bun.spawn(["taskset", "-c", cores, "wrk", ...shape, ...headers, url], {
    stdio: ["ignore", "ignore", "pipe"],
  })
  const said = await wrk.stderr.text()
  if ((await wrk.exited) !== 0) throw new Error(`wrk failed: ${said}`)
  const { us, ...figures } = JSON.parse(said) as Omit<Load, "perSecond"> & { us: number }
  return { ...figures, perSecond: (figures.requests * 1e6) / us }
}
