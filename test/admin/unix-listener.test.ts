/** The admin listener on a unix socket: who may open it, and whose socket is replaced. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { startAdmin, type AdminSource } from "../../src/admin/server.ts"
import { libc } from "../../src/net/linux/libc.ts"
import { STREAM, connectUnix, isAbandoned } from "../../src/net/linux/unix-socket.ts"
import { isLeftOut, isLinux } from "../support/left-out.ts"
import { until } from "../support/until.ts"

const nothing = (): never => {
  throw new Error("nobody asked for this")
}
const source: AdminSource = {
  ...{ ready: nothing, pulse: nothing, metrics: nothing },
  ...{ status: nothing, live: nothing, past: nothing },
  health: () => ({ ok: true, reason: "ok" }),
}

let folder = ""
let path = ""
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bunlb-admin-"))
  path = join(folder, "admin.sock")
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const health = async () => (await fetch("http://localhost/health", { unix: path })).text()
const faultOf = async (start: Promise<unknown>) => {
  try {
    await start
    return "none"
  } catch (error) {
    return error instanceof Error ? error.message.replaceAll(folder, "FOLDER") : ""
  }
}

test("answers, for its owner alone, and leaves nothing behind", async () => {
  const mask = process.umask()
  const admin = await startAdmin({ path }, source)
  expect(process.umask()).toBe(mask)
  expect(admin.port).toBeNull()
  expect(await health()).toBe("ok\n")
  expect((statSync(path).mode & 0o777).toString(8)).toBe("600")
  await admin.stop()
  expect(new Bun.Glob("*").scanSync({ cwd: folder, onlyFiles: false }).next().done).toBe(true)
})

/** It must not hold the pipes of the test run when a test fails. */
const quiet = { stdin: "ignore", stdout: "ignore", stderr: "ignore" } as const

/** Gone when the scope ends, also when it is stopped. */
function killed<Child extends { kill(signal: NodeJS.Signals): void }>(child: Child) {
  return Object.assign(child, { [Symbol.dispose]: () => child.kill("SIGKILL") })
}

/** A process of its own that listens there. */
async function listenElsewhere() {
  const script = `Bun.listen({ unix: ${JSON.stringify(path)}, socket: { data() {} } })`
  const child = killed(Bun.spawn([process.execPath, "-e", script], quiet))
  const listens = (): boolean => {
    const fd = connectUnix(path, STREAM)
    if (fd >= 0) libc().close(fd)
    return fd >= 0
  }
  await until(listens, 10_000, "a socket")
  return child
}

const unknown = isLeftOut("sockets that are there already", isLinux, "only Linux can tell")

describe.skipIf(unknown)("what is there already", () => {
  test("a socket whose process has died is replaced", async () => {
    using child = await listenElsewhere()
    child.kill("SIGKILL")
    await child.exited
    expect(isAbandoned(path)).toBe(true)
    const admin = await startAdmin({ path }, source)
    expect(await health()).toBe("ok\n")
    expect((statSync(path).mode & 0o777).toString(8)).toBe("600")
    await admin.stop()
  })

  test("one on which somebody listens stays his", async () => {
    const first = await startAdmin({ path }, source)
    expect(await faultOf(startAdmin({ path }, source))).toBe(
      "admin: FOLDER/admin.sock is already in use, or may not be opened; " +
        "choose another with --admin unix:/PATH, or remove it",
    )
    expect(await health()).toBe("ok\n")
    await first.stop()
  })

  test("so does one whose process is too busy to accept", async () => {
    // Stopped, it accepts nobody: its queue fills, and the kernel says EAGAIN, not ECONNREFUSED.
    using child = await listenElsewhere()
    child.kill("SIGSTOP")
    const fds: number[] = []
    let last = 0
    while (last >= 0 && fds.length < 8_192) {
      last = connectUnix(path, STREAM)
      if (last >= 0) fds.push(last)
    }
    for (const fd of fds) libc().close(fd)
    expect(last).toBe(-11)
    expect(isAbandoned(path)).toBe(false)
  })
})

test("a file that is no socket is left alone", async () => {
  writeFileSync(path, "precious")
  expect(await faultOf(startAdmin({ path }, source))).toBe(
    "admin: FOLDER/admin.sock is there and is no socket; choose another with --admin unix:/PATH",
  )
  expect(readFileSync(path, "utf8")).toBe("precious")
})

test("a folder that is not there is said", async () => {
  path = join(folder, "no", "admin.sock")
  expect(await faultOf(startAdmin({ path }, source))).toStartWith(
    "admin: cannot make the socket FOLDER/no/admin.sock: ",
  )
})

test("a socket that another has put in its place stays", async () => {
  const admin = await startAdmin({ path }, source)
  rmSync(path)
  writeFileSync(path, "another's")
  await admin.stop()
  expect(readFileSync(path, "utf8")).toBe("another's")
})

test("one that follows takes the place, and one that fails to gives it back", async () => {
  const told = (reason: string): AdminSource => ({
    ...source,
    health: () => ({ ok: true, reason }),
  })
  const before = await startAdmin({ path }, told("before"))
  const after = await startAdmin({ path }, told("after"), { port: null })
  expect(await health()).toBe("after\n")
  await after.stop()
  before.reclaim()
  expect(await health()).toBe("before\n")
  before.reclaim()
  expect(await health()).toBe("before\n")
  const heir = await startAdmin({ path }, told("heir"), { port: null })
  before.retire()
  await before.stop()
  expect(await health()).toBe("heir\n")
  expect((statSync(path).mode & 0o777).toString(8)).toBe("600")
  await heir.stop()
})
