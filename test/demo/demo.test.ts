/** The demo as a newcomer starts it: two backends, one of them killed, nobody notices, Ctrl-C ends all of it. */
import { expect, test } from "bun:test"
import { join } from "node:path"
import { BackendProcess } from "../../src/demo/backend-process.ts"
import { spawnBunlb } from "../support/processes.ts"
import { until } from "../support/until.ts"

const main = join(import.meta.dir, "../../src/main.ts")

test("serves, survives a kill -9, tells of it, and leaves nothing behind", async () => {
  await using demo = spawnBunlb(["demo"])
  const [, url = ""] = await demo.line(/^bunlb balances (http:\S+) over$/, 15_000)
  const pids: number[] = []
  for (const name of ["backend1", "backend2"]) {
    pids.push(Number((await demo.line(new RegExp(`^ +${name} .*PID (\\d+)$`)))[1]))
  }
  await demo.line(/GET \/ -> backend\d says hello/)
  const [, metrics = ""] = await demo.line(/curl (http:\S+\/metrics)/)
  const [, health = ""] = await demo.line(/curl (http:\S+\/health)/)
  await demo.line(/Ctrl-C ends everything/)

  expect(await (await fetch(metrics)).text()).toContain("bunlb_requests_total")
  expect((await fetch(health)).status).toBe(200)
  const get = async (): Promise<string> => {
    const response = await fetch(`${url}/`)
    return `${response.status} ${await response.text()}`
  }
  const answers = new Set([await get(), await get(), await get(), await get()])
  expect([...answers].toSorted()).toEqual([
    "200 backend1 says hello\n",
    "200 backend2 says hello\n",
  ])

  process.kill(pids[0] ?? 0, "SIGKILL")
  await demo.line(/backend1 .* ended: signal SIGKILL; back in 8 s/)
  const isTold = (): boolean => demo.lines.some((line) => /backend \S+ is unhealthy: /.test(line))
  await until(
    async () => {
      expect(await get()).toBe("200 backend2 says hello\n")
      return isTold()
    },
    10_000,
    "the line about its health",
  )

  demo.kill("SIGINT")
  expect(await demo.exited()).toBe(0)
  for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow()
  await expect(fetch(url)).rejects.toThrow()
})

test.each(["kept", "released"])("the end of a backend that is %s", async (how) => {
  const lines: string[] = []
  const say = (line: string): void => void lines.push(line)
  const log = { error: say, warn: say, info: say, debug: say, debugging: false }
  const backend = new BackendProcess([process.execPath, main], "one", log)
  await backend.start()
  // As the demo does at once when Ctrl-C has reached it, for it has reached the backends too.
  if (how === "released") backend.release()
  process.kill(backend.pid, "SIGKILL")
  await Bun.sleep(400)
  await backend.stop()
  expect(lines.join()).toEndWith(how === "released" ? "" : "ended: signal SIGKILL; back in 8 s")
  expect(lines).toHaveLength(how === "released" ? 0 : 1)
})
