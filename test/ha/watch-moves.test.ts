/** `bunlb watch` beside a real bunlb that a reload moves elsewhere: no fault is ever seen in that. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, expect, setDefaultTimeout, test } from "bun:test"
import { RunningBackend } from "../e2e/running-bunlb.ts"
import { spawnBunlb } from "../support/processes.ts"
import { refusedPort } from "../support/refused-port.ts"
import { PATIENCE_MS, until } from "../support/until.ts"

setDefaultTimeout(30_000)

const folder = mkdtempSync(join(tmpdir(), "bunlb-watch-moves-"))
afterAll(() => rmSync(folder, { recursive: true }))

test("a reload that moves port and admin listener, each way to tell of it", async () => {
  await using backend = await RunningBackend.start("one")
  const file = join(folder, "bunlb.json")
  const track = join(folder, "fault")
  const says = (): string => readFileSync(track, "utf8")
  const write = async (): Promise<string> => {
    const [port, admin] = [refusedPort(), refusedPort()]
    const place = { host: "127.0.0.1", port, admin: `127.0.0.1:${admin}` }
    const backends = [`127.0.0.1:${backend.port}`]
    writeFileSync(file, JSON.stringify({ ...place, backends, workers: 1, pin: false }))
    return `127.0.0.1:${admin} and 127.0.0.1:${port}`
  }
  const first = await write()
  await using bunlb = spawnBunlb(["-c", file])
  await bunlb.line(/ -> 1 backend/)
  // A busy machine may keep an answer for longer than the default; a refusal is a fault at once, whatever the deadline.
  const flags = ["-c", file, "--track-file", track, "--deadline", "5s"]
  await using watcher = spawnBunlb(["watch", ...flags])
  await watcher.line(new RegExp(`watches ${first} every 20 ms`))
  await until(() => says() === "0\n", PATIENCE_MS, "all to be well")

  // The file and at once the signal, as a person's script would; and the file a while before it.
  for (const pauseMs of [0, 400]) {
    const next = await write()
    await Bun.sleep(pauseMs)
    bunlb.kill("SIGHUP")
    await watcher.line(new RegExp(`looks for bunlb at ${next}$`))
    await watcher.line(new RegExp(`watches ${next} from now on$`))
    await bunlb.line(/reloaded: 2 changes/)
    // Meanwhile the old place closes.
    await Bun.sleep(800)
    expect(says()).toBe("0\n")
  }
  // A mistake in it changes nothing, for bunlb takes no notice of it either.
  writeFileSync(file, "{")
  watcher.kill("SIGHUP")
  await watcher.line(/watches as before: config: /)
  await Bun.sleep(200)
  expect(says()).toBe("0\n")
  expect(watcher.lines.filter((line) => line.includes("(fault)"))).toEqual([])
  watcher.kill()
  expect(await watcher.exited()).toBe(0)
  expect(says()).toBe("1\n")
})
