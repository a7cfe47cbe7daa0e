/** wrk as a function: load on one port, figures back. */
export interface Load {
  readonly requests: number
  readonly perSecond: number
  readonly p50Us: number
  readonly p99Us: number
  /** Broken connections, timeouts and answers that are not 2xx or 3xx. */
  readonly errors: number
}

export interface LoadOptions {
  readonly port: number
  readonly path: string
  readonly fields: readonly string[]
  readonly connections: number
  readonly seconds: number
  readonly core: number
}

export async function putLoad(options: LoadOptions): Promise<Load> {
  const { port, path, fields, connections, seconds, core } = options
  const pinned = ["taskset", "-c", String(core)]
  const shape = ["-t", "1", "-c", String(connections), "-d", `${seconds}s`, "--latency"]
  const headers = fields.flatMap((field) => ["-H", field])
  const url = `http://127.0.0.1:${port}${path}`
  const wrk = Bun.spawn([...pinned, "wrk", ...shape, ...headers, url], {
    stdio: ["ignore", "pipe", "inherit"],
  })
  const said = await wrk.stdout.text()
  if ((await wrk.exited) !== 0) throw new Error(`wrk failed: ${said}`)
  return parseWrk(said)
}

function parseWrk(said: string): Load {
  const number = (pattern: RegExp): number => Number(pattern.exec(said)?.[1] ?? 0)
  const percentile = (name: string): number => {
    const match = new RegExp(`^\\s+${name}%\\s+([\\d.]+)(us|ms|s|m)$`, "m").exec(said)
    const unit = { us: 1, ms: 1000, s: 1e6, m: 6e7 }[match?.[2] ?? "us"] ?? 1
    return Number(match?.[1] ?? 0) * unit
  }
  const socketErrors = /connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(said)
  const broken = socketErrors?.slice(1).reduce((sum, each) => sum + Number(each), 0) ?? 0
  return {
    requests: number(/^\s+(\d+) requests in/m),
    perSecond: number(/^Requests\/sec:\s+([\d.]+)/m),
    p50Us: percentile("50"),
    p99Us: percentile("99"),
    errors: broken + number(/Non-2xx or 3xx responses: (\d+)/),
  }
}
