/** Somebody who opens connections to the admin port without end takes neither the master's descriptors nor its time. */
import { afterAll, expect, setDefaultTimeout } from "bun:test"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { onLinux } from "../support/left-out.ts"
import { spawnBunlb } from "../support/processes.ts"
import { until } from "../support/until.ts"
import { RunningBackend, RunningBunlb } from "./running-bunlb.ts"

setDefaultTimeout(40_000)

const DESCRIPTORS = 256
const few = ["sh", "-c", `ulimit -n ${DESCRIPTORS}; exec "$@"`, "sh"]
const many = ["sh", "-c", 'ulimit -n 8192; exec "$@"', "sh"]

/** What the listener may hold: an eighth of the descriptors, and no more than 256. */
const limits = [
  { behind: few, limit: DESCRIPTORS / 8 },
  { behind: many, limit: 256 },
]
/** Descriptors that the master opens for a moment: to replace a worker, to read figures. */
const OTHERS = 24

type Place = { readonly hostname: string; readonly port: number } | { readonly unix: string }

/** Opens connections until it is disposed of; each says `words`, and is held. */
function flood(place: Place, words: string, everyMs: number, at: number) {
  const held: { end(): void }[] = []
  const answers = new Map<string, number>()
  const count = (answer: string): void => void answers.set(answer, (answers.get(answer) ?? 0) + 1)
  const socket = {
    data: (_socket: unknown, bytes: Buffer) => {
      if (bytes.toString("latin1", 0, 5) === "HTTP/") count(bytes.toString("latin1", 9, 12))
    },
  }
  const connect = (): void =>
    void Bun.connect<undefined>({
      ...place,
      socket,
    } as Bun.TCPSocketConnectOptions<undefined>).then(
      (opened) => {
        held.push(opened)
        if (words !== "") opened.write(words)
      },
      () => {},
    )
  const timer = setInterval(() => {
    for (let i = 0; i < at; i++) connect()
  }, everyMs)
  return {
    answers,
    get count() {
      return held.length
    },
    [Symbol.dispose]() {
      clearInterval(timer)
      for (const each of held) each.end()
    },
  }
}

function watch(bunlb: RunningBunlb) {
  const { pid } = bunlb.process
  const open = (): number => readdirSync(`/proc/${pid}/fd`).length
  const children = (): string[] =>
    readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim().split(" ")
  /** In milliseconds, in ticks of 10. */
  const cpu = (): number => {
    const [, rest = ""] = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")
    const fields = rest.split(" ")
    return (Number(fields[11]) + Number(fields[12])) * 10
  }
  /** How long it takes until another process is in the place of a killed one. */
  const replace = async (): Promise<number> => {
    const [worker = ""] = children()
    const began = performance.now()
    process.kill(Number(worker), "SIGKILL")
    const isReplaced = (): boolean => children().length === 2 && !children().includes(worker)
    await until(isReplaced, 10_000, "the next worker")
    return performance.now() - began
  }
  return { open, children, cpu, replace }
}

const linux = onLinux(
  "a flood of admin connections",
  "elsewhere nobody tells which descriptors a process has",
)
const folder = mkdtempSync(join(tmpdir(), "bunlb-flood-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

for (const { behind, limit } of limits) {
  for (const words of ["", "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "GET / HT"]) {
    const title = `${limit} connections, 1,500 a second that ${words === "" ? "say nothing" : `say "${words.slice(0, 12).trim()}"`}`
    linux(`${title}: descriptors are limited, and a killed worker is back at once`, async () => {
      await using backend = await RunningBackend.start("one")
      await using bunlb = await RunningBunlb.start([backend], ["-w", "2"], { behind })
      const { open, replace } = watch(bunlb)
      const before = open()
      let most = 0
      const look = setInterval(() => (most = Math.max(most, open())), 2)
      try {
        using attack = flood({ hostname: "127.0.0.1", port: bunlb.adminPort }, words, 10, 15)
        await until(() => attack.count > 1_500, 20_000, "many connections")
        expect(await replace()).toBeLessThan(1_000)
        expect(most).toBeGreaterThan(before)
        expect(most - before).toBeLessThanOrEqual(limit + OTHERS)
        expect(await answered(bunlb)).toBe(true)
      } finally {
        clearInterval(look)
      }
      const began = performance.now()
      const isServing = async (): Promise<boolean> =>
        (await bunlb.status().catch(() => null))?.workers.every(
          ({ state }) => state === "serving",
        ) === true
      await until(isServing, 10_000, "all workers to serve")
      expect(performance.now() - began).toBeLessThan(2_000)
      expect(bunlb.process.lines.join("\n")).not.toContain("cannot start")
    })
  }
}

/** Somebody who asks during a flood is answered, at the latest at the third try. */
async function answered({ adminPort }: RunningBunlb): Promise<boolean> {
  for (let i = 0; i < 3; i++) {
    const response = await fetch(`http://127.0.0.1:${adminPort}/health`, {
      keepalive: false,
    }).catch(() => null)
    if (response?.status === 200) return true
  }
  return false
}

for (const behind of [many, few]) {
  const title = behind === many ? "" : ", with 256 descriptors"
  linux(`a flood of questions leaves the master its time${title}`, async () => {
    await using backend = await RunningBackend.start("one")
    await using bunlb = await RunningBunlb.start([backend], ["-w", "2"], { behind })
    const { cpu, replace } = watch(bunlb)
    const place = { hostname: "127.0.0.1", port: bunlb.adminPort }
    const words = `GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`
    const [cpuBefore, began] = [cpu(), performance.now()]
    using attack = flood(place, words, 5, 6)
    await until(() => attack.count > 1_500, 20_000, "many questions")
    const share = (cpu() - cpuBefore) / (performance.now() - began)
    expect(await replace()).toBeLessThan(1_000)
    expect(share).toBeLessThan(0.35)
    expect([...attack.answers.keys()].filter((code) => !["200", "503"].includes(code))).toEqual([])
    expect(attack.answers.get("200")).toBeGreaterThan(10)
  })
}

/** Asks on that many connections, one question after the other, until it is disposed of. */
function crowd(count: number, url: string, init: RequestInit) {
  const answers = new Map<number, number>()
  let goesOn = true
  const ask = async (): Promise<void> => {
    while (goesOn) {
      const response = await fetch(url, init).catch(() => null)
      await response?.text().catch(() => "")
      const status = response?.status ?? 0
      answers.set(status, (answers.get(status) ?? 0) + 1)
    }
  }
  for (let i = 0; i < count; i++) void ask()
  return {
    answers,
    get count() {
      return [...answers.values()].reduce((sum, each) => sum + each, 0)
    },
    [Symbol.dispose]: () => void (goesOn = false),
  }
}

const crowds: readonly (readonly [string, RequestInit])[] = [
  ["health", {}],
  ["api/v1/explain?cookie=a", {}],
  ["api/v1/reload", { method: "POST", body: "{}" }],
  ["api/v1/reload", { method: "POST", body: "no JSON" }],
]

for (const [path, init] of crowds) {
  const title = `${init.method ?? "GET"} /${path} ${String(init.body ?? "")}`
  linux(`60 who ask without end leave the master its time: ${title}`, async () => {
    await using backend = await RunningBackend.start("one")
    await using bunlb = await RunningBunlb.start([backend], ["-w", "2"], { behind: many })
    const { cpu, replace } = watch(bunlb)
    using asking = crowd(60, `http://127.0.0.1:${bunlb.adminPort}/${path}`, init)
    await until(() => asking.count > 100, 20_000, "the first answers")
    const [cpuBefore, began] = [cpu(), performance.now()]
    const before = asking.count
    await until(() => performance.now() - began > 2_000, 20_000, "a while")
    const share = (cpu() - cpuBefore) / (performance.now() - began)
    const others = (await bunlb.status()).workers.every(({ state }) => state === "serving")
    expect([others, asking.count > before]).toEqual([true, true])
    expect(await replace()).toBeLessThan(1_000)
    expect(share).toBeLessThan(0.45)
    expect(bunlb.process.lines.join("\n")).not.toContain("no heartbeat")
  })
}

linux("on a unix socket there is a limit, too", async () => {
  await using backend = await RunningBackend.start("one")
  const unix = join(folder, "admin.sock")
  const flags = ["--host", "127.0.0.1", "--port", "0", "--admin", `unix:${unix}`, "-w", "2"]
  await using bunlb = spawnBunlb([...flags, "-b", `127.0.0.1:${backend.port}`], { behind: few })
  await bunlb.line(/ admin unix:/)
  const open = (): number => readdirSync(`/proc/${bunlb.pid}/fd`).length
  const before = open()
  using attack = flood({ unix }, "", 10, 15)
  let most = 0
  const isMany = (): boolean => {
    most = Math.max(most, open())
    return attack.count > 500
  }
  await until(isMany, 20_000, "many connections")
  expect(most - before).toBeLessThanOrEqual(DESCRIPTORS / 8 + OTHERS)
  const answered = async (): Promise<boolean> =>
    (await fetch("http://bunlb/health", { unix }).catch(() => null))?.status === 200
  await until(answered, 10_000, "an answer")
})
