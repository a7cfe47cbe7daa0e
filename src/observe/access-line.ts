/**
 * One line of the access log: what happened to one request, as JSON, or in the combined form that
 * log readers know, with bunlb's own figures behind it.
 */
import { lineJson } from "./line-json.ts"

export interface AccessEntry {
  /** Wall clock when the request had been read, milliseconds since 1970. */
  readonly time: number
  readonly worker: number
  readonly client: string
  /** The request line; null when none could be read. */
  readonly method: string | null
  readonly target: string | null
  readonly version: string | null
  readonly host: string | null
  readonly status: number
  /** With heads. */
  readonly bytesIn: number
  readonly bytesOut: number
  /** Milliseconds to connect; null when nothing was dialled. */
  readonly dialMs: number | null
  /** Milliseconds from the request sent to the response head; null when none came. */
  readonly waitMs: number | null
  readonly totalMs: number
  readonly backend: string | null
  readonly attempts: number
  readonly reused: boolean
  /** Who ended it and in which phase, `--` for in good order: docs/access-log.md. */
  readonly end: string
  readonly error: string | null
  readonly requestId: string | null
  /** Null while bunlb takes no part in traces. */
  readonly traceId: string | null
  /** That of bunlb. */
  readonly spanId: string | null
  readonly referer: string | null
  readonly userAgent: string | null
  /** Fields that the settings ask for. */
  readonly fields: Readonly<Record<string, string>>
}

type FormatLine = (entry: AccessEntry) => string

const tenth = (ms: number | null): number | null => (ms === null ? null : Math.round(ms * 10) / 10)

export const jsonLine: FormatLine = (entry) => {
  const { error, fields, traceId, spanId } = entry
  return `${lineJson({
    time: new Date(entry.time).toISOString(),
    worker: entry.worker,
    client: entry.client,
    method: entry.method,
    target: entry.target,
    version: entry.version,
    host: entry.host,
    status: entry.status,
    bytes_in: entry.bytesIn,
    bytes_out: entry.bytesOut,
    dial_ms: tenth(entry.dialMs),
    wait_ms: tenth(entry.waitMs),
    total_ms: tenth(entry.totalMs),
    backend: entry.backend,
    attempts: entry.attempts,
    reused: entry.reused,
    end: entry.end,
    ...(error === null ? {} : { error }),
    request_id: entry.requestId,
    ...(traceId === null ? {} : { trace_id: traceId, span_id: spanId }),
    referer: entry.referer,
    user_agent: entry.userAgent,
    ...(Object.keys(fields).length === 0 ? {} : { fields }),
  })}\n`
}

const months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ")

/** `client - - [time] "request" status bytes "referer" "agent" backend timers attempts end id [trace/span]`. */
export const combinedLine: FormatLine = (entry) => {
  const { method, target, version } = entry
  const request = method === null ? "-" : `${escaped(`${method} ${target}`)} ${version}`
  const ms = [entry.dialMs, entry.waitMs, entry.totalMs].map((each) => tenth(each) ?? "-")
  const trace = entry.traceId === null ? "" : ` ${entry.traceId}/${entry.spanId}`
  return (
    `${entry.client} - - [${clfTime(entry.time)}] "${request}" ${entry.status} ${entry.bytesOut} ` +
    `"${escaped(entry.referer ?? "-")}" "${escaped(entry.userAgent ?? "-")}" ` +
    `${entry.backend ?? "-"} ${ms.join("/")} ${entry.attempts} ${entry.end} ` +
    `${escaped(entry.requestId ?? "-")}${trace}\n`
  )
}

/** What a peer sends must not end a quoted part, nor the line. */
function escaped(text: string): string {
  return text.replace(/["\\\x00-\x1f\x7f-\uffff]/g, (char) => {
    return `\\x${char.charCodeAt(0).toString(16).padStart(2, "0").toUpperCase()}`
  })
}

function clfTime(time: number): string {
  const date = new Date(time)
  const iso = date.toISOString()
  return `${iso.slice(8, 10)}/${months[date.getUTCMonth()]}/${iso.slice(0, 4)}:${iso.slice(11, 19)} +0000`
}
