/** Which of the sockets of a port the kernel gives new connections to, while some of them leave. */
import { afterEach, expect } from "bun:test"
import { libc } from "../../src/net/linux/libc.ts"
import { openListeners, openMore } from "../../src/net/listeners.ts"
import { ReuseportGroup } from "../../src/net/reuseport-group.ts"
import { onLinux } from "../support/left-out.ts"

const CONNECTIONS = 120
const ends: (() => void)[] = []

afterEach(() => {
  for (const end of ends.splice(0)) end()
})

/** Connections that wait at a listener: `tcpi_unacked` of TCP_INFO. */
function queued(fd: number): number {
  const info = new Int32Array(16)
  libc().getsockopt(fd, 6, 11, info, new Uint32Array([64]))
  return info[6] ?? 0
}

class Sockets {
  readonly #host: string
  readonly port: number
  readonly fds: number[]
  readonly group: ReuseportGroup

  constructor(host: string, count: number) {
    const { fds, port, listening } = openListeners(host, 0, count)
    this.#host = host
    this.port = port
    this.fds = fds
    this.group = new ReuseportGroup(listening)
    for (const fd of fds) this.group.hold(fd)
    ends.push(() => this.release(this.fds.length))
  }

  /** Lets go of the first `count`. */
  release(count: number): void {
    for (const fd of this.fds.splice(0, count)) this.group.release(fd)
  }

  add(count: number): void {
    for (const fd of openMore(this.#host, this.port, count).fds) {
      this.group.hold(fd)
      this.group.open(fd)
      this.fds.push(fd)
    }
  }

  leave(...at: readonly number[]): void {
    this.group.leave(at.map((i) => this.fds[i] ?? -1))
  }

  /** Which of the sockets get some of many new connections: `x` or `-` for each. */
  async chosen(): Promise<string> {
    const before = this.fds.map(queued)
    const dial = { hostname: this.#host, port: this.port, socket: { data() {} } }
    const clients = await Promise.all(Array.from({ length: CONNECTIONS }, () => Bun.connect(dial)))
    const news = this.fds.map((fd, i) => queued(fd) - (before[i] ?? 0))
    for (const client of clients) client.terminate()
    expect(news.reduce((sum, each) => sum + each, 0)).toBe(CONNECTIONS)
    return news.map((each) => (each > 0 ? "x" : "-")).join("")
  }
}

const linux = onLinux("who gets new connections", "elsewhere workers share one socket")

for (const host of ["127.0.0.1", "::1"]) {
  linux(`at ${host}: those that stay, wherever they are in the list`, async () => {
    const sockets = new Sockets(host, 5)
    expect(await sockets.chosen()).toBe("xxxxx")
    sockets.leave(3, 4)
    expect(await sockets.chosen()).toBe("xxx--")
    sockets.leave(0)
    expect(await sockets.chosen()).toBe("-xx--")
    sockets.release(1)
    expect(await sockets.chosen()).toBe("xx--")
  })
}

linux("new ones get their share beside some that leave, and after them", async () => {
  const sockets = new Sockets("127.0.0.1", 3)
  sockets.leave(0, 1)
  sockets.add(2)
  expect(await sockets.chosen()).toBe("--xxx")
  sockets.release(2)
  expect(await sockets.chosen()).toBe("xxx")
  sockets.add(1)
  expect(await sockets.chosen()).toBe("xxxx")
})

linux("all that are there get connections when all leave", async () => {
  const sockets = new Sockets("127.0.0.1", 3)
  sockets.leave(0, 1)
  sockets.leave(2)
  expect(await sockets.chosen()).toBe("xxx")
})

linux("one that stops listening for a while comes back at the end of the list", async () => {
  const sockets = new Sockets("127.0.0.1", 4)
  const [first = -1] = sockets.fds
  sockets.leave(3)
  sockets.group.close(first)
  expect(await sockets.chosen()).toBe("-xx-")
  sockets.group.open(first)
  expect(await sockets.chosen()).toBe("xxx-")
  sockets.leave(0)
  expect(await sockets.chosen()).toBe("-xx-")
})

linux("the socket through which the program was attached can leave, too", async () => {
  const sockets = new Sockets("127.0.0.1", 4)
  sockets.leave(3)
  sockets.leave(0)
  sockets.release(1)
  expect(await sockets.chosen()).toBe("xx-")
  sockets.leave(0)
  sockets.release(1)
  expect(await sockets.chosen()).toBe("x-")
})

linux(
  "a descriptor of a socket that another one goes on with is closed and nothing else",
  async () => {
    const sockets = new Sockets("127.0.0.1", 3)
    const [first = -1] = sockets.fds
    const copy = libc().dup(first)
    sockets.group.hold(copy)
    sockets.leave(2)
    sockets.group.release(copy)
    expect(sockets.group.placesOf(sockets.fds)).toEqual([0, 1, 2])
    expect(await sockets.chosen()).toBe("xx-")
  },
)

linux("what a killed process has left attached is gone when another socket joins", async () => {
  const sockets = new Sockets("127.0.0.1", 3)
  const heirs = new ReuseportGroup(sockets.fds)
  sockets.leave(1, 2)
  const [fd = -1] = openMore("127.0.0.1", sockets.port, 1).fds
  heirs.hold(fd)
  heirs.open(fd)
  sockets.fds.push(fd)
  expect(await sockets.chosen()).toBe("xxxx")
})

linux("where the list is not known, nothing changes", async () => {
  const { fds, port } = openListeners("127.0.0.1", 0, 2)
  const group = new ReuseportGroup(null)
  for (const fd of fds) group.hold(fd)
  ends.push(() => fds.forEach((fd) => group.release(fd)))
  group.leave(fds.slice(1))
  expect(group.placesOf(fds)).toBeNull()
  const dial = { hostname: "127.0.0.1", port, socket: { data() {} } }
  const clients = await Promise.all(Array.from({ length: CONNECTIONS }, () => Bun.connect(dial)))
  expect(fds.map(queued).every((count) => count > 0)).toBe(true)
  for (const client of clients) client.terminate()
})
