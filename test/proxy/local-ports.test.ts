/**
 * Local ports: when none is left towards one backend the others are still reached, and a socket that the kernel has
 * connected to itself is never taken for a backend. The C library's calls are real but for what a test says.
 */
import { afterEach, expect, spyOn, test } from "bun:test"
import { libc } from "../../src/net/linux/libc.ts"
import { isConnectedToItself } from "../../src/net/linux/self-connect.ts"
import { sockaddr } from "../../src/net/ip/sockaddr.ts"
import { TestBalancer } from "../support/balancer.ts"
import { onLinux } from "../support/left-out.ts"
import { RawClient } from "../support/raw-client.ts"
import { refusedPort } from "../support/refused-port.ts"
import { ScriptedBackend, answering } from "../support/scripted-backend.ts"
import { until } from "../support/until.ts"

const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
const EADDRNOTAVAIL = 99
const spies: { mockRestore(): void }[] = []
afterEach(() => {
  for (const spy of spies.splice(0)) spy.mockRestore()
})
const linux = onLinux("a dial by descriptor", "only there the kernel is asked directly")

/** connect(2) to one of `addresses`, given as `IP:PORT`, finds no local port. */
function withoutPortsTo(...addresses: readonly string[]): void {
  const { connect, errno } = libc()
  let failing = false
  spies.push(
    spyOn(libc(), "connect").mockImplementation((fd, address, length) => {
      const port = ((address[2] ?? 0) << 8) | (address[3] ?? 0)
      failing = addresses.includes(`${address.subarray(4, 8).join(".")}:${port}`)
      return failing ? -1 : connect(fd, address, length)
    }),
    spyOn(libc(), "errno").mockImplementation(() => (failing ? EADDRNOTAVAIL : errno())),
  )
}

linux("a backend towards which no local port is left is passed over and not blamed", async () => {
  using one = await ScriptedBackend.start(answering(() => "1"))
  using two = await ScriptedBackend.start(answering(() => "2"))
  withoutPortsTo(`127.0.0.1:${one.port}`)
  const health = { type: "http", interval: 50, failures: 1 } as const
  const balancer = await TestBalancer.start([one.port, two.port], { pool: { idle: 0 }, health })
  const client = await RawClient.connect(balancer.port)
  const post = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
  for (let i = 0; i < 8; i++) {
    const response = await client.exchange(i % 2 === 0 ? get : post)
    expect([response.status, response.body.toString()]).toEqual([200, "2"])
  }
  const { port } = two
  await until(() => balancer.figure("bunlb_probes_total", `${port}"`, '"ok"') >= 2, 3000, "probes")
  expect(balancer.changes).toEqual([])
  expect(balancer.figure("bunlb_backend_failures_total")).toBe(0)
})

linux(
  "when no backend can be dialled for want of ports the answer is 503 and says so",
  async () => {
    using one = await ScriptedBackend.start(answering(() => "1"))
    using two = await ScriptedBackend.start(answering(() => "2"))
    withoutPortsTo(`127.0.0.1:${one.port}`, `127.0.0.1:${two.port}`)
    const balancer = await TestBalancer.start([one.port, two.port])
    const client = await RawClient.connect(balancer.port)
    const response = await client.exchange(get)
    expect([response.status, response.body.toString().includes("out of local ports")]).toEqual([
      503,
      true,
    ])
    expect(balancer.figure("bunlb_backend_failures_total")).toBe(0)
  },
)

linux("a backend that refuses beside one without ports is told of as what it is", async () => {
  using one = await ScriptedBackend.start(answering(() => "1"))
  const dead = refusedPort()
  withoutPortsTo(`127.0.0.1:${one.port}`)
  const balancer = await TestBalancer.start([one.port, dead], { health: { failures: 100 } })
  const client = await RawClient.connect(balancer.port)
  for (let i = 0; i < 4; i++) {
    const response = await client.exchange(get)
    expect([response.status, response.body.toString().includes("connect refused")]).toEqual([
      502,
      true,
    ])
  }
  expect(balancer.figure("bunlb_backend_failures_total", `:${one.port}"`)).toBe(0)
  expect(balancer.figure("bunlb_backend_failures_total", `:${dead}"`)).toBe(4)
})

/** A socket with its own address `ip:port` before it dials. */
function boundSocket(ip: string, port: number): number {
  const address = sockaddr(ip, port)
  if (address === null) throw new Error(ip)
  const fd = libc().socket(address.family, 1 | 0o4000 | 0o2000000, 0)
  expect(libc().bind(fd, address.bytes, address.bytes.length)).toBe(0)
  return fd
}

linux("a socket is known to be connected to itself, by either family, and no other is", () => {
  for (const [own, dialled, expected] of [
    ["127.0.0.1", "127.0.0.1", true],
    ["127.0.0.1", "0.0.0.0", true],
    ["::1", "::1", true],
    ["127.0.0.2", "127.0.0.1", false],
  ] as const) {
    const port = refusedPort()
    const fd = boundSocket(own, port)
    const address = sockaddr(dialled, port)
    libc().connect(fd, address?.bytes ?? new Uint8Array(), address?.bytes.length ?? 0)
    expect([own, dialled, isConnectedToItself(fd, address?.bytes ?? new Uint8Array())]).toEqual([
      own,
      dialled,
      expected,
    ])
    libc().close(fd)
  }
})

linux(
  "a dial that the kernel connects to itself is a refused one, and gets no request",
  async () => {
    const dead = refusedPort()
    const { socket } = libc()
    let dials = 0
    const balancer = await TestBalancer.start([dead], { health: { failures: 100 } })
    const client = await RawClient.connect(balancer.port)
    spies.push(
      spyOn(libc(), "socket").mockImplementation((domain, type, protocol) => {
        const fd = socket(domain, type, protocol)
        const own = sockaddr("127.0.0.1", dead)
        if (own !== null) libc().bind(fd, own.bytes, own.bytes.length)
        dials++
        return fd
      }),
    )
    for (let i = 1; i <= 3; i++) {
      const response = await client.exchange(get)
      expect([response.status, response.body.toString().includes("connect refused")]).toEqual([
        502,
        true,
      ])
      // The port was free again at once: a new dial could take it.
      expect(dials).toBe(i)
    }
  },
)

test("this file leaves the C library as it was", () => {
  expect(spies).toEqual([])
})
