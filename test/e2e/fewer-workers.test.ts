/** A reload to fewer workers, seen by clients that connect meanwhile: none is refused or cut off. */
import { expect, setDefaultTimeout } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { onLinux } from "../support/left-out.ts"
import { RunningBackend, RunningBunlb } from "./running-bunlb.ts"

setDefaultTimeout(40_000)

const LASTS_MS = 2_500

/** Connects and asks once on a connection of its own; milliseconds, or the fault. */
async function visit(port: number): Promise<number | string> {
  const began = performance.now()
  const { promise, resolve } = Promise.withResolvers<number | string>()
  const late = setTimeout(() => resolve("late"), 10_000)
  Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      open: (socket) => void socket.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
      data: (socket, bytes) => {
        resolve(bytes.includes("200 OK") ? performance.now() - began : "no 200")
        socket.end()
      },
      close: () => resolve("closed without an answer"),
    },
  }).catch((error) => resolve(String(error)))
  const outcome = await promise
  clearTimeout(late)
  return outcome
}

onLinux("fewer workers", "elsewhere workers share one socket")(
  "from four workers to one, while clients connect",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "bunlb-fewer-"))
    const file = join(folder, "bunlb.yaml")
    await using backend = await RunningBackend.start("one")
    const write = (workers: number): void =>
      writeFileSync(
        file,
        `host: 127.0.0.1\nport: 0\nadmin: "127.0.0.1:0"\npin: false\nworkers: ${workers}\n` +
          `backends: ["127.0.0.1:${backend.port}"]\n`,
      )
    write(4)
    await using bunlb = await RunningBunlb.fromFile(file)
    const visits: Promise<number | string>[] = []
    const timer = setInterval(() => visits.push(visit(bunlb.port), visit(bunlb.port)), 5)
    await Bun.sleep(300)
    write(1)
    bunlb.process.kill("SIGHUP")
    await bunlb.process.line(/reloaded: 1 change/)
    await Bun.sleep(LASTS_MS)
    clearInterval(timer)
    const outcomes = await Promise.all(visits)
    rmSync(folder, { recursive: true, force: true })
    expect(outcomes.filter((outcome) => typeof outcome === "string")).toEqual([])
  },
)
