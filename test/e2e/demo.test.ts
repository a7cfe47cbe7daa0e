/** The demo as it ends: however it goes, it leaves no process and no port behind. */
import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { allGone } from "../master/running-fleet.ts"
import { isLinux } from "../support/left-out.ts"
import { spawnBunlb } from "../support/processes.ts"
import type { BunlbProcess } from "../support/processes.ts"

setDefaultTimeout(30_000)

interface Demo {
  readonly url: string
  readonly pids: readonly number[]
}

/** What it prints is what a person would type next. */
async function readDemo(demo: BunlbProcess): Promise<Demo> {
  const [, url = ""] = await demo.line(/^bunlb balances (http:\S+) over$/, 15_000)
  const pids: number[] = []
  for (const name of ["backend1", "backend2"]) {
    pids.push(Number((await demo.line(new RegExp(`^ +${name} .*PID (\\d+)$`)))[1]))
  }
  await demo.line(/^ +curl http:\S+\/ /)
  await demo.line(/^ +kill -9 \d+ /)
  const [, admin = ""] = await demo.line(/^ +curl (http:\S+)\/metrics /)
  const status = (await (await fetch(`${admin}/api/v1/status`)).json()) as {
    readonly workers: readonly { readonly pid: number }[]
  }
  await demo.line(/Ctrl-C ends everything/)
  return { url, pids: [...pids, ...status.workers.map(({ pid }) => pid)] }
}

describe.each([
  ["Ctrl-C", "SIGINT", 0],
  ["SIGTERM", "SIGTERM", 0],
  ["kill -9", "SIGKILL", "SIGKILL"],
] as const)("%s", (_name, signal, code) => {
  test("ends the demo, its workers and its backends", async () => {
    await using demo = spawnBunlb(["demo", "-w", "2"])
    const { url, pids } = await readDemo(demo)
    // Two backends, and two workers where many processes are the default.
    expect(pids).toHaveLength(isLinux ? 4 : 3)
    expect((await fetch(url)).status).toBe(200)
    demo.kill(signal)
    expect(await demo.exited()).toBe(code)
    await allGone(pids, 1_000)
    await expect(fetch(url)).rejects.toThrow()
  })
})

test("a frozen backend is told of, clients get answers, and Ctrl-C ends even that one", async () => {
  await using demo = spawnBunlb(["demo", "-w", "1"])
  const { url, pids } = await readDemo(demo)
  const [victim = 0] = pids
  process.kill(victim, "SIGSTOP")
  await demo.line(
    /backend 127\.0\.0\.1:\d+ is unhealthy: 3 (?:probes|requests) failed, last: /,
    10_000,
  )
  for (let request = 0; request < 4; request++) {
    expect(await (await fetch(url)).text()).toBe("backend2 says hello\n")
  }
  process.kill(victim, "SIGCONT")
  await demo.line(
    /backend 127\.0\.0\.1:\d+ is healthy again after \d+ s: 2 (?:probes|requests)/,
    10_000,
  )
  process.kill(victim, "SIGSTOP")
  demo.kill("SIGINT")
  expect(await demo.exited()).toBe(0)
  await allGone(pids, 1_000)
})
