/** bunlb at an address of IPv6: its port, its admin listener, its backends, and the commands that speak with it. */
import { networkInterfaces } from "node:os"
import { expect, setDefaultTimeout, test } from "bun:test"
import { isLeftOut } from "../support/left-out.ts"
import { spawnBunlb } from "../support/processes.ts"

setDefaultTimeout(30_000)

const all = Object.values(networkInterfaces()).flatMap((each) => each ?? [])
const possible = all.some(({ address }) => address === "::1")
const noIpv6 = isLeftOut("bunlb at ::1", possible, "this machine has no such address")

test.skipIf(noIpv6).each([
  ["mp", "direct"],
  ["sp", "bun"],
])("it serves, is asked, reloads and drains at ::1, mode %s, sockets %s", async (mode, sockets) => {
  await using backend = spawnBunlb(["backend", "-h", "::1", "-p", "0", "--name", "six"])
  const [, target = ""] = await backend.line(/listening on http:\/\/(\[::1\]:\d+)$/)
  const flags = ["-h", "::1", "-p", "0", "--admin", "[::1]:0", "-m", mode, "--sockets", sockets]
  await using bunlb = spawnBunlb([...flags, "-w", "2", "--no-pin", "-b", target])
  const [, url = "", admin = ""] = await bunlb.line(
    /(http:\/\/\[::1\]:\d+) -> 1 backend .* admin http:\/\/(\[::1\]:\d+)$/,
  )
  const answer = await fetch(`${url}/echo`)
  expect(answer.status).toBe(200)
  expect(await answer.text()).toMatch(/"x-forwarded-for", "::1"/i)

  const say = async (...words: string[]): Promise<string> => {
    await using command = spawnBunlb([...words, "--admin", admin])
    expect([words, await command.exited()]).toEqual([words, 0])
    return command.stdout.join("\n")
  }
  const head = await say("status")
  expect(head).toContain(`${target}  up`)
  expect(head.includes("sockets of Bun")).toBe(sockets === "bun" || process.platform !== "linux")
  expect(await say("health")).toBe("healthy")
  expect(await say("reload")).toBe("reloaded: no changes")
  expect((await fetch(`http://${admin}/metrics`)).status).toBe(200)

  bunlb.kill()
  expect(await bunlb.exited()).toBe(0)
})
