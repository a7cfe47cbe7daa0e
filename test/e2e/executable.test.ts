/**
 * bunlb as it is shipped: started in an empty folder with no Bun on the PATH, in both modes. Runs from source in
 * `bun test`, and on the executable that BUNLB_TEST_EXECUTABLE names in the continuous run.
 */
import { afterAll, afterEach, describe, expect, test } from "bun:test"
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { RawClient } from "../support/raw-client.ts"
import { spawnBunlb } from "../support/processes.ts"
import { answering, ScriptedBackend } from "../support/scripted-backend.ts"

const folder = mkdtempSync(join(tmpdir(), "bunlb-e2e-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const backends: ScriptedBackend[] = []
afterEach(() => {
  for (const backend of backends.splice(0)) backend.stop()
})

async function twoBackends(): Promise<string[]> {
  for (const name of ["one", "two"]) {
    backends.push(await ScriptedBackend.start(answering(() => name)))
  }
  return backends.flatMap(({ port }) => ["-b", `127.0.0.1:${port}`])
}

/** In the empty folder, without anything on the PATH. */
function spawnAlone(args: readonly string[]) {
  return spawnBunlb(args, { cwd: folder, env: { PATH: "/nonexistent" } })
}

describe.each(["mp", "sp"])("mode %s", (mode) => {
  test("serves, answers for its health, and drains on SIGTERM", async () => {
    const place = ["-h", "127.0.0.1", "-p", "0", "-w", "1", "--admin", "127.0.0.1:0"]
    await using bunlb = spawnAlone(["--mode", mode, ...place, ...(await twoBackends())])
    const [, port, admin] = await bunlb.line(/127\.0\.0\.1:(\d+) ->.* admin (http:\S+)/, 10_000)

    const client = await RawClient.connect(Number(port))
    const bodies: string[] = []
    for (let count = 0; count < 4; count++) {
      const response = await client.exchange("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
      expect(response.status).toBe(200)
      bodies.push(response.body.toString())
    }
    expect(bodies.toSorted()).toEqual(["one", "one", "two", "two"])

    expect((await fetch(`${admin}/health`)).status).toBe(200)
    expect(await (await fetch(`${admin}/metrics`)).text()).toMatch(/bunlb_requests_total\{.*\} 2/)
    const address = (admin ?? "").replace("http://", "")
    await using health = spawnAlone(["health", "--admin", address])
    expect(await health.exited()).toBe(0)
    await using status = spawnAlone(["status", "--admin", address])
    expect(await status.exited()).toBe(0)
    expect(status.stdout.join("\n")).toContain(`127.0.0.1:${backends[0]?.port}`)

    bunlb.kill("SIGTERM")
    expect(await bunlb.exited()).toBe(0)
    expect(await client.closed()).toEqual({ by: "end" })
    expect(readdirSync(folder)).toEqual([])
  })
})

test("obeys neither a .env nor a bunfig.toml of the folder it is started in", async () => {
  const place = mkdtempSync(join(tmpdir(), "bunlb-e2e-"))
  writeFileSync(join(place, ".env"), "BUNLB_WORKER=0\n")
  writeFileSync(join(place, "bunfig.toml"), 'preload = ["./missing.ts"]\n')
  const source = process.env["BUNLB_TEST_EXECUTABLE"] === undefined
  // From source it is Bun itself that reads them, before bunlb is there to object.
  const cwd = source ? folder : place
  await using version = spawnBunlb(["--version"], { cwd })
  await version.line(/^bunlb \d+\.\d+\.\d+ \(bun /)
  expect(await version.exited()).toBe(0)
  rmSync(place, { recursive: true, force: true })
})
