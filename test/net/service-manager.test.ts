/** What a service manager hears, in datagrams to a real unix socket. */
import { afterAll, expect } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ServiceManager } from "../../src/net/service-manager.ts"
import { onLinux } from "../support/left-out.ts"
import { spawnBunlb } from "../support/processes.ts"
import { NotifySocket } from "./notify-socket.ts"

const test = onLinux("talking with a service manager", "systemd is of Linux")

const folder = mkdtempSync(join(tmpdir(), "bunlb-notify-"))
afterAll(() => rmSync(folder, { recursive: true }))

for (const path of [join(folder, "words"), `@bunlb-words-${process.pid}`]) {
  test(`ready and stopping are told to ${path.startsWith("@") ? "an abstract name" : "a path"}`, async () => {
    using socket = new NotifySocket(path)
    const manager = ServiceManager.find({ NOTIFY_SOCKET: path })
    manager?.ready("all\nis well")
    manager?.stopping("draining")
    await socket.line("STOPPING=1")
    expect(socket.heard).toEqual(["READY=1\nSTATUS=all is well", "STOPPING=1\nSTATUS=draining"])
    manager?.close()
  })
}

test("signs of life come from the time it is ready, until it ends", async () => {
  const path = join(folder, "signs")
  using socket = new NotifySocket(path)
  const environment = { NOTIFY_SOCKET: path, WATCHDOG_USEC: "10000", PATH: "/bin" }
  const manager = ServiceManager.find(environment)
  expect(environment as object).toEqual({ PATH: "/bin" })
  await Bun.sleep(15)
  manager?.ready("well")
  await socket.line("WATCHDOG=1")
  expect(socket.heard[0]).toStartWith("READY=1")
  socket.heard.length = 0
  await socket.line("WATCHDOG=1")
  manager?.close()
})

test("no signs of life for another process", async () => {
  const path = join(folder, "other")
  using socket = new NotifySocket(path)
  const watchdog = { WATCHDOG_USEC: "2000", WATCHDOG_PID: "1" }
  const manager = ServiceManager.find({ NOTIFY_SOCKET: path, ...watchdog })
  manager?.ready("well")
  await Bun.sleep(20)
  manager?.stopping("end")
  await socket.line("STOPPING=1")
  expect(socket.heard).toHaveLength(2)
  manager?.close()
})

test("no manager, one that is gone, and names that are none", () => {
  expect(ServiceManager.find({})).toBeNull()
  for (const path of ["", "relative", join(folder, "nobody"), `/${"x".repeat(200)}`]) {
    expect(ServiceManager.find({ NOTIFY_SOCKET: path })).toBeNull()
  }
  const path = join(folder, "leaves")
  const socket = new NotifySocket(path)
  const manager = ServiceManager.find({ NOTIFY_SOCKET: path })
  socket[Symbol.dispose]()
  manager?.ready("into the void")
  manager?.close()
})

test("a manager that does not read stops nothing", async () => {
  const path = join(folder, "deaf")
  using socket = new NotifySocket(path)
  const manager = ServiceManager.find({ NOTIFY_SOCKET: path })
  for (let i = 0; i < 1_000; i++) manager?.stopping("draining")
  await socket.line("STOPPING=1")
  expect(socket.heard.length).toBeLessThan(1_000)
  manager?.close()
})

test("a reload that the admin address asks for is told like any other, one that is only tried is not", async () => {
  const path = join(folder, "asked")
  const unix = join(folder, "admin.sock")
  using socket = new NotifySocket(path)
  const args = ["-p", "0", "-h", "127.0.0.1", "-b", "127.0.0.1:1", "-w", "1"]
  const env = { NOTIFY_SOCKET: path, WATCHDOG_USEC: undefined }
  await using bunlb = spawnBunlb([...args, "--admin", `unix:${unix}`], { env })
  await socket.line("READY=1")
  for (const body of ['{"dry_run":true}', "{}"]) {
    const url = "http://localhost/api/v1/reload"
    expect((await fetch(url, { method: "POST", body, unix })).status).toBe(200)
  }
  bunlb.kill("SIGTERM")
  expect(await bunlb.exited()).toBe(0)
  await socket.line("STOPPING=1")
  expect(socket.heard.map((each) => each.split("\n")[0])).toEqual([
    ...["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"],
  ])
})

test("bunlb is ready when it serves, lives, and says when it reloads and stops; its workers say nothing", async () => {
  const path = join(folder, "bunlb")
  using socket = new NotifySocket(path)
  const args = ["-p", "0", "-h", "127.0.0.1", "-b", "127.0.0.1:1", "-w", "2", "--admin", "off"]
  const env = { NOTIFY_SOCKET: path, WATCHDOG_USEC: "1000000" }
  await using bunlb = spawnBunlb(args, { env })
  await socket.line("READY=1")
  expect(socket.heard[0]).toMatch(/^READY=1\nSTATUS=serves on port \d+$/)
  await socket.line("WATCHDOG=1")
  bunlb.kill("SIGHUP")
  await socket.line("RELOADING=1")
  await bunlb.line(/reloaded: nothing has changed/)
  bunlb.kill("SIGTERM")
  expect(await bunlb.exited()).toBe(0)
  await socket.line("STOPPING=1")
  expect(socket.heard.filter((each) => each.startsWith("READY"))).toHaveLength(2)
})
