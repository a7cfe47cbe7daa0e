/** Somebody who opens connections to the admin port without end takes neither the master's descriptors nor its time. */
import { expect, setDefaultTimeout } from "bun:test"
import { readdirSync, readFileSync } from "node:fs"
import { onLinux } from "../support/left-out.ts"
import { until } from "../support/until.ts"
import { RunningBackend, RunningBunlb } from "./running-bunlb.ts"

setDefaultTimeout(40_000)

const DESCRIPTORS = 256
const few = ["sh", "-c", `ulimit -n ${DESCRIPTORS}; exec "$@"`, "sh"]

/** Opens connections that say nothing until it is disposed of. */
function flood(port: number, everyMs: number, at: number) {
  const held: { end(): void }[] = []
  const dial = { hostname: "127.0.0.1", port, socket: { data() {} } }
  const connect = (): void =>
    void Bun.connect(dial).then(
      (socket) => held.push(socket),
      () => {},
    )
  const timer = setInterval(() => {
    for (let i = 0; i < at; i++) connect()
  }, everyMs)
  return {
    get count() {
      return held.length
    },
    [Symbol.dispose]() {
      clearInterval(timer)
      for (const socket of held) socket.end()
    },
  }
}

onLinux("a flood of admin connections", "elsewhere nobody tells whose a descriptor is")(
  "with 256 descriptors: a killed worker is replaced at once, and the admin listener answers",
  async () => {
    await using backend = await RunningBackend.start("one")
    await using bunlb = await RunningBunlb.start([backend], ["-w", "2"], { behind: few })
    const { pid } = bunlb.process
    const open = (): number => readdirSync(`/proc/${pid}/fd`).length
    const children = (): string[] =>
      readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim().split(" ")
    using attack = flood(bunlb.adminPort, 20, 7)
    let most = 0
    const isMany = (): boolean => {
      most = Math.max(most, open())
      return attack.count > 700
    }
    await until(isMany, 20_000, "many connections")
    expect(most).toBeLessThan(DESCRIPTORS * 0.9)
    const [worker = ""] = children()
    process.kill(Number(worker), "SIGKILL")
    await bunlb.process.line(/was killed by SIGKILL/)
    await until(() => children().length === 2, 5_000, "the next worker")
    expect(children()).not.toContain(worker)
    const isServing = async (): Promise<boolean> =>
      (await bunlb.status().catch(() => null))?.workers.every(
        ({ state }) => state === "serving",
      ) === true
    await until(isServing, 10_000, "all workers to serve")
    expect(bunlb.process.lines.join("\n")).not.toContain("cannot start")
  },
)
