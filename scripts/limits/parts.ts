/** What is measured, one function a limit. Each gives its figures, and says of each whether it is as it must be. */
import { until } from "../../test/support/until.ts"
import { Balancer } from "./balancer.ts"
import { Crowd, type Member } from "./crowd.ts"
import { type Comparison, compare, meter } from "./meter.ts"
import { Flood } from "./flood.ts"

export interface Figure {
  readonly name: string
  readonly value: string
  /** What it must be, or "" for information. */
  readonly wanted: string
  readonly fine: boolean
}

export type Part = (backend: number) => Promise<Figure[]>

const MIB = 2 ** 20
const GIB = 2 ** 30
const WAIT_MS = 20_000
const TURNS = 50
const idleLimits = ["--client-head-timeout", "10m", "--client-idle-timeout", "10m"]
const request = "GET / HTTP/1.1\r\nHost: crowd\r\n\r\n"

/** 10,000 connections that say nothing, then 10,000 that have had one answer. Two workers, for their descriptors. */
export const idle: Part = async (backend) => {
  const size = 10_000
  await using bunlb = await Balancer.start(backend, [...idleLimits, "-w", "2"])
  const empty = await settledRss(bunlb)
  using crowd = await Crowd.gather({ port: bunlb.port, size })
  await until(async () => (await bunlb.clients()) === size, WAIT_MS, "all clients to be accepted")
  const silent = await settledRss(bunlb)
  crowd.say(() => request)
  await until(() => crowd.answered === size, WAIT_MS, "all clients to be answered")
  const served = await settledRss(bunlb)
  const cpu = await bunlb.cpuShare(Bun.sleep(5_000))
  return [
    info("clients", `${crowd.open}`),
    info("RSS without clients", mib(empty)),
    below("RSS per silent client", (silent - empty) / size, 16 * 1024, kib),
    below("RSS per client after a request", (served - empty) / size, 24 * 1024, kib),
    below("CPU while they are idle", cpu, 0.05, percent),
  ]
}

/** 1,000 clients that dribble a head and 1,000 that dribble a body, beside normal traffic. */
export const slowloris: Part = async (backend) => {
  const half = 1_000
  await using bunlb = await Balancer.start(backend, ["--client-head-timeout", "10m"])
  const { port } = bunlb
  let grown = 0
  const attack = async (): Promise<Disposable> => {
    const rss = bunlb.rssBytes()
    const heads = await Crowd.gather({ port, size: half })
    const bodies = await Crowd.gather({ port, size: half })
    heads.say(() => "GET / HTTP/1.1\r\nHost: slow\r\nX-Slow: ")
    bodies.say(() => "POST /echo HTTP/1.1\r\nHost: slow\r\nContent-Length: 100000\r\n\r\n")
    // Each says a byte a second, never all of them at once.
    let turn = 0
    const byte = ({ index }: Member): string => (index % TURNS === turn ? "x" : "")
    const dribble = setInterval(() => {
      turn = (turn + 1) % TURNS
      for (const crowd of [heads, bodies]) crowd.say(byte)
    }, 1_000 / TURNS)
    const end = (): void => {
      grown = Math.max(grown, bunlb.rssBytes() - rss)
      clearInterval(dribble)
      for (const crowd of [heads, bodies]) crowd.leave(half)
    }
    return { [Symbol.dispose]: end }
  }
  const { alone, beside } = await compare(port, attack)
  return [
    info("slow clients", `${2 * half}`),
    ...compared({ alone, beside }),
    below("p99 against alone", beside.p99 / alone.p99, 2, times),
    below("RSS per slow client", grown / (2 * half), 64 * 1024, kib),
  ]
}

/** The same clients against short limits: who dribbles a head is out in time, whatever arrives. */
export const slowlorisEnds: Part = async (backend) => {
  const size = 1_000
  const limits = ["--client-head-timeout", "2s", "--client-body-timeout", "2s"]
  await using bunlb = await Balancer.start(backend, limits)
  const port = bunlb.port
  using heads = await Crowd.gather({ port, size })
  using bodies = await Crowd.gather({ port, size })
  heads.say(() => "GET / HTTP/1.1\r\nHost: slow\r\nX-Slow: ")
  bodies.say(() => "POST /echo HTTP/1.1\r\nHost: slow\r\nContent-Length: 100000\r\n\r\nx")
  const began = performance.now()
  const dribble = setInterval(() => heads.say(() => "x"), 200)
  await until(() => heads.open + bodies.open === 0, WAIT_MS, "all slow clients to be sent away")
  clearInterval(dribble)
  const took = performance.now() - began
  await until(async () => (await bunlb.clients()) === 0, WAIT_MS, "no client to be left")
  return [
    below("time to be rid of 2,000 (limit 2 s, farewell up to 2 s)", took / 1000, 5, seconds),
    info("answered with 408", `${await bunlb.figure("bunlb_requests_total", 'code="408"')}`),
    below("descriptors left", bunlb.descriptors(), 64, String),
  ]
}

/** 200 clients that do not read what they asked for: 1 GiB each. */
export const slowReaders: Part = async (backend) => {
  const size = 200
  await using bunlb = await Balancer.start(backend, ["--client-body-timeout", "15s"])
  const before = await meter(bunlb.port, 5)
  const rss = await settledRss(bunlb)
  using crowd = await Crowd.gather({ port: bunlb.port, size, opened: (socket) => socket.pause() })
  crowd.say(() => `GET /bytes/${GIB} HTTP/1.1\r\nHost: slow\r\n\r\n`)
  // The kernel's buffers are filled first: that is work for everybody, the backend most of all.
  await Bun.sleep(4_000)
  const during = await meter(bunlb.port, 5)
  const full = bunlb.rssBytes()
  // Paused sockets do not hear of their end: bunlb knows.
  await until(async () => (await bunlb.clients()) === 0, WAIT_MS, "all readers to be sent away")
  await Bun.sleep(1_000)
  return [
    below("RSS per slow reader", (full - rss) / size, 1.5 * MIB, kib),
    info("RSS before, with them, after", `${mib(rss)}, ${mib(full)}, ${mib(bunlb.rssBytes())}`),
    ...compared({ alone: before, beside: during }),
  ]
}

/** More clients than the worker has descriptors: 1,000 on 512. */
export const descriptors: Part = async (backend) => {
  const size = 1_000
  const probes = ["--health-interval", "200ms", ...idleLimits]
  await using bunlb = await Balancer.start(backend, probes, ["prlimit", "--nofile=512"])
  using crowd = await Crowd.gather({ port: bunlb.port, size })
  crowd.say(() => request)
  await until(() => crowd.answered > 100, WAIT_MS, "the first to be answered")
  const cpu = await bunlb.cpuShare(Bun.sleep(5_000))
  const [served, held, accepted] = [crowd.answered, bunlb.descriptors(), await bunlb.clients()]
  // Each asks again, now all at once and for an answer that takes its time: every one needs a backend.
  crowd.say(() => "GET /delay/500 HTTP/1.1\r\nHost: crowd\r\n\r\n")
  const busy = await bunlb.cpuShare(Bun.sleep(3_000))
  const failedProbes = await bunlb.figure("bunlb_probes_total", 'result="failed"')
  const down = await bunlb.figure("bunlb_breaker_transitions_total", 'to="unhealthy"')
  for (let turn = 0; turn < 10; turn++) {
    crowd.leave(size / 10)
    await Bun.sleep(100)
    crowd.say((member) => (member.received === 0 ? request : ""))
  }
  await until(async () => (await bunlb.clients()) === 0, WAIT_MS, "all clients to have left")
  using after = await Crowd.gather({ port: bunlb.port, size: 100 })
  after.say(() => request)
  await until(() => after.answered === 100, WAIT_MS, "newcomers to be answered").catch(() => {})
  return [
    info("clients that knocked, accepted, answered", `${size}, ${accepted}, ${served}`),
    below("descriptors in use, of 512", held, 511, String),
    below("CPU while full", cpu, 0.05, percent),
    info("CPU while all of them ask at once", percent(busy)),
    below("failed probes", failedProbes, 0, String),
    below("times a backend was called unhealthy", down, 0, String),
    atLeast("newcomers answered once there is room, of 100", after.answered, 100),
  ]
}

/** Connections that are reset as soon as they stand, 2,000 a second, beside normal traffic. */
export const resetFlood: Part = async (backend) => {
  const perSecond = 2_000
  await using bunlb = await Balancer.start(backend)
  let made = 0
  let lasted = 0
  let cpu = 0
  const attack = async (): Promise<Disposable> => {
    const [began, cpuBefore] = [performance.now(), bunlb.cpuMs()]
    const flood = new Flood(bunlb.port, perSecond)
    const end = (): void => {
      flood.stop()
      made += flood.made
      lasted += performance.now() - began
      cpu += bunlb.cpuMs() - cpuBefore
    }
    return { [Symbol.dispose]: end }
  }
  const comparison = await compare(bunlb.port, attack)
  await until(async () => (await bunlb.clients()) === 0, WAIT_MS, "no client to be left")
  return [
    atLeast("connections reset a second", Math.round((made * 1000) / lasted), perSecond * 0.8),
    info("CPU of it and of normal traffic", percent(cpu / lasted)),
    ...compared(comparison),
    below("p99 against alone", comparison.beside.p99 / comparison.alone.p99, 2, times),
    below("descriptors left", bunlb.descriptors(), 64, String),
  ]
}

/** One million chunks of one byte, sent as fast as they are taken. */
export const chunks: Part = async (backend) => {
  const count = 1_000_000
  await using bunlb = await Balancer.start(backend)
  const [cpu, rss] = [bunlb.cpuMs(), bunlb.rssBytes()]
  let peak = rss
  const watch = setInterval(() => (peak = Math.max(peak, bunlb.rssBytes())), 20)
  const answer = await sendChunks(bunlb.port, count)
  clearInterval(watch)
  const perChunk = (bunlb.cpuMs() - cpu) / count
  return [
    atLeast("bytes that the backend says it received", answer, count),
    below("CPU per chunk", perChunk, 0.002, us),
    below("RSS growth at its peak", peak - rss, 64 * MIB, mib),
  ]
}

async function sendChunks(port: number, count: number): Promise<number> {
  const piece = Buffer.from("1\r\nx\r\n".repeat(1_000))
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  let left = count / 1_000
  let unsent = Buffer.from(
    "POST /echo HTTP/1.1\r\nHost: chunks\r\nTransfer-Encoding: chunked\r\n\r\n",
  )
  let text = ""
  const send = (socket: Bun.Socket<undefined>): void => {
    for (;;) {
      unsent = unsent.subarray(Math.max(0, socket.write(unsent)))
      if (unsent.length > 0 || left < 0) return
      unsent = left-- > 0 ? piece : Buffer.from("0\r\n\r\n")
    }
  }
  const socket = await Bun.connect<undefined>({
    hostname: "127.0.0.1",
    port,
    data: undefined,
    socket: {
      open: send,
      drain: send,
      data: (_, bytes) => {
        text += bytes.toString("latin1")
        if (text.includes("bodySha256")) resolve(text)
      },
      close: () => reject(new Error(`closed: ${text}`)),
    },
  })
  const answer = await promise
  socket.terminate()
  return Number(/"bodyLength": (\d+)/.exec(answer)?.[1] ?? 0)
}

function compared({ alone, beside }: Comparison): Figure[] {
  return [
    info("p50 / p99 alone", `${ms(alone.p50)} / ${ms(alone.p99)}`),
    info("p50 / p99 beside them", `${ms(beside.p50)} / ${ms(beside.p99)}`),
    below("failed requests", alone.failed + beside.failed, 0, String),
  ]
}

/** RSS once the collector has had its time. */
async function settledRss(bunlb: Balancer): Promise<number> {
  await Bun.sleep(1_500)
  return bunlb.rssBytes()
}

function info(name: string, value: string): Figure {
  return { name, value, wanted: "", fine: true }
}

function below(
  name: string,
  value: number,
  limit: number,
  show: (value: number) => string,
): Figure {
  return { name, value: show(value), wanted: `at most ${show(limit)}`, fine: value <= limit }
}

function atLeast(name: string, value: number, limit: number): Figure {
  return { name, value: `${value}`, wanted: `at least ${limit}`, fine: value >= limit }
}

const mib = (bytes: number): string => `${(bytes / MIB).toFixed(0)} MiB`
const kib = (bytes: number): string => `${(bytes / 1024).toFixed(1)} KiB`
const percent = (share: number): string => `${(share * 100).toFixed(1)}%`
const ms = (value: number): string => `${value.toFixed(2)} ms`
const us = (ms: number): string => `${(ms * 1000).toFixed(3)} us`
const seconds = (value: number): string => `${value.toFixed(1)} s`
const times = (value: number): string => `${value.toFixed(2)} x`
