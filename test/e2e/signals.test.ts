/** How bunlb leaves: under load, in both modes, without a request lost. */
import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { allGone } from "../master/running-fleet.ts"
import { isLeftOut, onLinux } from "../support/left-out.ts"
import { RawClient } from "../support/raw-client.ts"
import { spawnBunlb } from "../support/processes.ts"
import { PATIENCE_MS, until } from "../support/until.ts"
import { Load } from "./load.ts"
import { RunningBackend, RunningBunlb } from "./running-bunlb.ts"

setDefaultTimeout(30_000)

describe.each(["mp", "sp"])("mode %s", (mode) => {
  const lastMoment = "elsewhere who is in the queue when it closes is reset"
  onLinux("SIGTERM under load", lastMoment)(
    "SIGTERM under load: no client that honours Connection: close loses a request",
    async () => {
      await using backend = await RunningBackend.start("one")
      await using bunlb = await RunningBunlb.start([backend], ["--mode", mode, "-w", "2"])
      const pids = await bunlb.workerPids()
      await endsWithoutLoss(bunlb)
      expect(bunlb.process.lines.at(-1)).toContain("drained; nothing was cut")
      await allGone(pids)
    },
  )

  test("a response under way at SIGTERM comes whole; a second signal cuts it, exit 1", async () => {
    await using backend = await RunningBackend.start("one")
    for (const signals of [1, 2]) {
      await using bunlb = await RunningBunlb.start([backend], ["--mode", mode, "-w", "1"])
      const client = await RawClient.connect(bunlb.port)
      void client.send("GET /delay/600 HTTP/1.1\r\nHost: x\r\n\r\n")
      await until(async () => (await bunlb.worker(0)).inFlight === 1, PATIENCE_MS, "the request")
      bunlb.process.kill("SIGTERM")
      await bunlb.process.line(/SIGTERM: draining/)
      if (signals === 1) {
        const response = await client.receiveResponse()
        expect([response.status, response.field("connection")]).toEqual([200, "close"])
        expect(await bunlb.process.exited()).toBe(0)
        continue
      }
      await Bun.sleep(60) // Longer than two signals that are one wish.
      bunlb.process.kill("SIGINT")
      expect(await bunlb.process.exited()).toBe(1)
      expect(await client.closed()).toEqual({ by: "reset" })
      const text = bunlb.process.lines.join("\n")
      expect(text).not.toContain("nothing was cut")
      expect(text).toContain("drained; 1 worker ended before the drain was over")
    }
  })
})

/** Root without what makes it root: it reads its own files and may do no more than anybody. */
const unprivileged = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"]
const isRoot = process.getuid?.() === 0
const able = isRoot && Bun.which("setpriv") !== null
const why = isRoot ? "setpriv is not installed" : "not root, so it has run above"
const alone = isLeftOut("SIGTERM without privileges", able, why)

test.skipIf(alone).each(["direct", "bun"])(
  "SIGTERM under load, with no privilege at all and sockets %s: nothing is lost",
  async (sockets) => {
    await using backend = await RunningBackend.start("one")
    const flags = ["-w", "2", "--sockets", sockets]
    await using bunlb = await RunningBunlb.start([backend], flags, { behind: unprivileged })
    await endsWithoutLoss(bunlb)
  },
)

async function endsWithoutLoss(bunlb: RunningBunlb): Promise<void> {
  const load = new Load(bunlb.port, { clients: 64, pause: 0 })
  await until(() => load.ok > 500, PATIENCE_MS, "the load")
  bunlb.process.kill("SIGTERM")
  await load.allRefused()
  expect(load.failures).toEqual([])
  expect(await bunlb.process.exited()).toBe(0)
}

/** From the moment in which it has a handler for SIGHUP; before that a signal ends any program. */
async function hasHandlers(pid: number): Promise<boolean> {
  const status = await Bun.file(`/proc/${pid}/status`).text()
  const caught = BigInt(`0x${/^SigCgt:\s*(\w+)/m.exec(status)?.[1] ?? "0"}`)
  return (caught & 1n) === 1n
}

onLinux("signals while it starts", "only Linux tells which signals a process handles")(
  "signals that come while it starts are kept, and obeyed when it serves",
  async () => {
    await using backend = await RunningBackend.start("one")
    const flags = [
      "-h",
      "127.0.0.1",
      "-p",
      "0",
      "--admin",
      "off",
      "-b",
      `127.0.0.1:${backend.port}`,
    ]
    await using bunlb = spawnBunlb([...flags, "-w", "2"])
    await until(() => hasHandlers(bunlb.pid), PATIENCE_MS, "its handlers")
    for (const signal of ["SIGHUP", "SIGUSR1"] as const) bunlb.kill(signal)
    await bunlb.line(/SIGUSR1: opening the access log again/)
    await bunlb.line(/reloaded: nothing has changed/)
    expect(bunlb.lines[0]).toContain("-> 1 backend")
  },
)
