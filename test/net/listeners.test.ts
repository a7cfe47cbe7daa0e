/** Listening descriptors, the C library behind them, and affinity. */
import { afterEach, expect, test } from "bun:test"
import { allowedCpus, parseCpuList, pinToCpu } from "../../src/net/linux/affinity.ts"
import { firstThatLoads, libc, libraryNames } from "../../src/net/linux/libc.ts"
import {
  closeListeners,
  closeQueue,
  openListeners,
  openMore,
  openQueue,
} from "../../src/net/listeners.ts"
import { isLeftOut, isLinux, onLinux } from "../support/left-out.ts"
import { PATIENCE_MS, until } from "../support/until.ts"

const held: number[] = []
afterEach(() => closeListeners(held.splice(0)))

function open(port: number, count: number) {
  const listeners = openListeners("127.0.0.1", port, count)
  held.push(...listeners.fds)
  return listeners
}

/** Serves what comes in at `fd` by closing it, and counts it. */
function accept(fd: number): { count: number; stop(): void } {
  const counter = { count: 0, stop: () => listener.stop() }
  // A variable of its own, because the types do not know `fd`.
  const options = {
    ...{ hostname: "127.0.0.1", port: 0, fd: libc().dup(fd) },
    socket: {
      open(socket: { end(): unknown }) {
        counter.count++
        socket.end()
      },
      data() {},
    },
  }
  const listener = Bun.listen(options)
  return counter
}

async function connect(port: number, times: number): Promise<void> {
  const socket = { data() {} }
  for (let i = 0; i < times; i++) await Bun.connect({ hostname: "127.0.0.1", port, socket })
}

const shared = onLinux("sockets that share a port", "elsewhere workers share one socket")

shared("connections queue up while nobody accepts, and spread over all descriptors", async () => {
  const { port, fds } = open(0, 2)
  expect(fds).toHaveLength(2)
  await connect(port, 40)
  const [one, two] = fds.map(accept)
  await until(() => (one?.count ?? 0) + (two?.count ?? 0) === 40, PATIENCE_MS, "40 connections")
  expect(one?.count).toBeGreaterThan(0)
  expect(two?.count).toBeGreaterThan(0)
  one?.stop()
  two?.stop()
})

shared(
  "a closed queue gets nothing, and everything is as before when it is opened again",
  async () => {
    const { port, fds } = open(0, 2)
    const [one, two] = fds.map(accept)
    closeQueue(fds[0] ?? -1)
    await connect(port, 20)
    await until(() => two?.count === 20, PATIENCE_MS, "20 connections at the second")
    openQueue(fds[0] ?? -1)
    await connect(port, 40)
    await until(() => (one?.count ?? 0) + (two?.count ?? 0) === 60, PATIENCE_MS, "60 connections")
    expect(one?.count).toBeGreaterThan(0)
    one?.stop()
    two?.stop()
  },
)

shared(
  "more descriptors at a port get nobody before they listen, and then their share",
  async () => {
    const { port, fds } = open(0, 1)
    const [one] = fds.map(accept)
    const more = openMore("127.0.0.1", port, 2)
    held.push(...more.fds)
    await connect(port, 40)
    await until(() => one?.count === 40, PATIENCE_MS, "40 connections at the first")
    const [two, three] = more.fds.map(accept)
    await connect(port, 60)
    const all = (): number => (one?.count ?? 0) + (two?.count ?? 0) + (three?.count ?? 0)
    await until(() => all() === 100, PATIENCE_MS, "60 connections at all")
    expect(two?.count).toBeGreaterThan(0)
    expect(three?.count).toBeGreaterThan(0)
    for (const each of [one, two, three]) each?.stop()
    expect(() => openMore("192.0.2.1", port, 1)).toThrow("192.0.2.1 is not an address of this")
  },
)

test("a port is not shared with another of our own kind", () => {
  const { port } = open(0, 1)
  expect(() => open(port, 1)).toThrow(`port ${port} on 127.0.0.1 is already in use`)
  expect(() => openListeners("0.0.0.0", port, 1)).toThrow("already in use")
  closeListeners(held.splice(0))
  expect(open(port, 1).port).toBe(port)
})

test("an address of another machine is told as such", () => {
  expect(() => openListeners("192.0.2.1", 0, 1)).toThrow("192.0.2.1 is not an address of this")
})

test("a failed call leaves its reason in errno", () => {
  expect(libc().close(1_000_000)).toBe(-1)
  const EBADF = 9
  expect(libc().errno()).toBe(EBADF)
})

test("the C library goes by many names, and one that has none is told in one line", () => {
  expect(libraryNames("linux", "arm64")).toContain("libc.musl-aarch64.so.1")
  expect(libraryNames("darwin", "arm64")).toEqual(["libSystem.B.dylib"])
  const load = (name: string): string => {
    if (name !== "b") throw new Error(`no ${name}\nmore`)
    return name
  }
  expect(firstThatLoads(["a", "b", "c"], load)).toBe("b")
  expect(() => firstThatLoads(["a", "c"], load)).toThrow(
    "cannot load the C library (tried a, c): no a; bunlb needs glibc, musl or macOS",
  )
})

test("CPU lists have ranges and single CPUs", () => {
  expect(parseCpuList("Name:\tx\nCpus_allowed_list:\t0-2,8,10-11\nMems:\t0")).toEqual([
    ...[0, 1, 2, 8, 10, 11],
  ])
  expect(parseCpuList("nothing")).toEqual([])
})

const unpinned = isLeftOut("pinning to a CPU", isLinux, "only Linux can")

test.skipIf(unpinned)("a process pins itself to a CPU that it may use", async () => {
  const cpu = allowedCpus().at(-1) ?? 0
  const affinity = JSON.stringify(require.resolve("../../src/net/linux/affinity.ts"))
  const script = `const a = await import(${affinity})
    console.log(a.pinToCpu(${cpu}), a.allowedCpus().join())`
  const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe" })
  expect(await child.stdout.text()).toBe(`true ${cpu}\n`)
  expect(pinToCpu(100_000)).toBeFalse()
})
