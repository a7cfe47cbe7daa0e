/** `bunlb backend`: a web server to put behind the balancer, slow or broken on request. */
import { formatHostPort, listenHost } from "../config/schema/address.ts"
import type { ValueType } from "../config/schema/setting.ts"
import { boolean, duration, integer, optional, shown, text } from "../config/schema/value-types.ts"
import { command } from "./command.ts"
import { readOptions, type Option, type OptionsOf } from "./flags.ts"
import { stopSignal } from "./stop-signal.ts"

interface BackendOptions {
  readonly host: string
  readonly port: number
  readonly name: string
  readonly delay: number
  readonly failRate: number | null
  readonly status: number | null
  readonly tls: boolean
}

const share: ValueType<number> = {
  kind: "scalar",
  placeholder: "SHARE",
  expects: "a number from 0 to 1 such as 0.1",
  read(input, refuse) {
    const value = /^\d{0,3}(\.\d{1,6})?$/.test(String(input)) ? Number(input) : Number.NaN
    return value >= 0 && value <= 1
      ? value
      : refuse(`expected ${share.expects}, got ${shown(input)}`)
  },
  format: String,
  json: { type: ["number", "string"], minimum: 0, maximum: 1 },
}

function option<T>(
  name: string,
  type: ValueType<T>,
  fallback: T,
  help: string,
  short?: string,
): Option<T> {
  const defaultText = type.format(fallback)
  return { name, type, help, short, default: fallback, defaultText, group: "Flags" }
}

const options: OptionsOf<BackendOptions> = {
  port: option(
    "port",
    integer(0, 65_535, "PORT"),
    9001,
    "Port to listen on; 0 takes a free one",
    "p",
  ),
  host: option("host", listenHost, "127.0.0.1", "Address to listen on", "h"),
  name: option(
    "name",
    text(/^[\x21-\x7e]{1,64}$/, "a name without spaces", "NAME"),
    "backend",
    "Name it answers with",
  ),
  delay: option("delay", duration(0, 3_600_000), 0, "Time before each answer"),
  failRate: option(
    "fail-rate",
    optional(share, "0, or 1 with --status"),
    null,
    "Share of requests that are answered with --status",
  ),
  status: option(
    "status",
    optional(integer(200, 599, "CODE"), "500"),
    null,
    "Status of the failed share",
  ),
  tls: option("tls", boolean, false, "Speak TLS with a built-in self-signed certificate"),
}

export const backend = command({
  name: "backend",
  description: "Start a test backend",
  usage: "backend [-p PORT] [--name NAME] [flags]",
  flags: Object.values(options),
  examples: ["bunlb backend -p 9001 --name backend1", "bunlb backend -p 9002 --fail-rate 0.1"],
  async run(typed, terminal) {
    const asked = readOptions(typed, options)
    const { startBackend } = await import("../demo/backend.ts")
    const failRate = asked.failRate ?? (asked.status === null ? 0 : 1)
    const status = asked.status ?? 500
    const started = await startBackend({ ...asked, failRate, status, log: null })
    const scheme = asked.tls ? "https" : "http"
    const address = formatHostPort(asked.host, started.port)
    terminal.out(`${asked.name} listening on ${scheme}://${address}`)
    await stopSignal()
    started.stop()
    return 0
  },
})
