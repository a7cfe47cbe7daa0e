/** TCP keepalive, on both sides and both kinds of sockets, and peers that vanish. */
import { describe, expect } from "bun:test"
import { comesToRest } from "../../faults/quiet.ts"
import { connectionsOf } from "../../support/port-sockets.ts"
import { libc } from "../../../src/net/linux/libc.ts"
import { TestBalancer } from "../../support/balancer.ts"
import { onLinux } from "../../support/left-out.ts"
import { sideBySide } from "../../support/side-by-side.ts"
import { RawClient } from "../../support/raw-client.ts"
import { ScriptedBackend, answering } from "../../support/scripted-backend.ts"
import type { BackendConnection } from "../../support/scripted-backend.ts"
import { until } from "../../support/until.ts"
import { vanish } from "../../support/vanish.ts"

const test = sideBySide(onLinux("TCP keepalive", "its options are read from the kernel"))
const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
const upgrade = "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
const accepted = "HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
/** Nothing else may end anything. */
const hour = 3_600_000
const patient = {
  timeouts: { responseHead: hour, backendBody: hour, tunnelIdle: hour, clientIdle: hour },
}

function option(fd: number, level: number, name: number): number {
  const value = new Int32Array(new ArrayBuffer(4))
  libc().getsockopt(fd, level, name, value, new Uint32Array([4]))
  return value[0] as number
}

/** On or off, idle time, interval, probes. */
function optionsOf(fd: number): number[] {
  return [option(fd, 1, 9), option(fd, 6, 4), option(fd, 6, 5), option(fd, 6, 6)]
}

describe.each(["direct", "bun"] as const)("with sockets: %s", (sockets) => {
  test("both sides have it by default, a reload changes it, and 0 is none", async () => {
    const probed: number[][] = []
    using backend = await ScriptedBackend.start(answering(() => ""))
    const balancer = await TestBalancer.start([backend.port], { sockets })
    const look = async (): Promise<void> => {
      const client = await RawClient.connect(balancer.port)
      await client.exchange(get)
      const [fd = -1] = connectionsOf(balancer.port).slice(-1)
      probed.push(optionsOf(fd))
      await client.close()
      await comesToRest(balancer)
    }
    await look()
    await balancer.apply([backend.port], { sockets, keepalive: { client: 8000, backend: 1000 } })
    await look()
    await balancer.apply([backend.port], { sockets, keepalive: { client: 0, backend: 0 } })
    await look()
    expect(probed.map((each) => each.slice(0, each[0] === 1 ? 4 : 1))).toEqual([
      [1, 60, 15, 4],
      [1, 8, 2, 4],
      [0],
    ])
  })

  async function setup(handler: (connection: BackendConnection) => Promise<void>) {
    const backend = await ScriptedBackend.start(handler)
    const balancer = await TestBalancer.start([backend.port], {
      ...patient,
      sockets,
      keepalive: { client: 1000, backend: 1000 },
    })
    return { backend, balancer, [Symbol.dispose]: () => backend.stop() }
  }

  test("a client that vanishes in a long poll, an event stream or a tunnel is found out", async () => {
    using at = await setup(async (connection) => {
      const { target, field } = await connection.receiveRequestHead()
      if (field("upgrade") !== null) await connection.send(accepted)
      else if (target === "/events") {
        await connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
      }
      await connection.closed(Infinity)
      await connection.close()
    })
    const { balancer, backend } = at
    for (const request of [get, get.replace("/ ", "/events "), upgrade]) {
      const client = await RawClient.connect(balancer.port)
      await client.send(request)
      if (request !== get) await client.receiveUntil("\r\n\r\n")
      await until(() => backend.accepted > 0, 3000, "the request")
      vanish(client.socket)
    }
    await until(() => balancer.figure("bunlb_client_connections") === 0, 15_000, "the end of all")
    for (const far of backend.connections) await far.closed()
    expect(balancer.figure("bunlb_client_aborts_total")).toBe(2)
    expect(balancer.figure("bunlb_backend_failures_total")).toBe(0)
    await comesToRest(balancer)
  }, 30_000)

  test("a tunnel with data on its way to a peer that has vanished ends, either way", async () => {
    const tunnels: BackendConnection[] = []
    using at = await setup(async (connection) => {
      await connection.receiveRequestHead()
      await connection.send(accepted)
      tunnels.push(connection)
    })
    const clients: RawClient[] = []
    for (let i = 0; i < 3; i++) {
      const client = await RawClient.connect(at.balancer.port)
      await client.exchange(upgrade)
      clients.push(client)
    }
    const [one, two, stays] = clients as [RawClient, RawClient, RawClient]
    const [far, gone, kept] = tunnels as [BackendConnection, BackendConnection, BackendConnection]
    vanish(one.socket)
    vanish(gone.socket)
    await far.send("to a client that has vanished")
    await two.send("to a backend that has vanished")
    // It does not read, but its kernel answers: it has not vanished.
    stays.pause()
    void kept.send("x".repeat(16 * 1024 * 1024))
    await far.closed(20_000)
    await two.closed(20_000)
    expect(at.balancer.figure("bunlb_tunnels")).toBe(1)
    stays.reset()
    await until(() => at.balancer.figure("bunlb_tunnels") === 0, 5000, "the last tunnel")
  }, 40_000)

  test("a backend that vanishes under a request is left for another", async () => {
    using other = await ScriptedBackend.start(answering(() => "other"))
    using at = await setup(async (connection) => {
      await connection.receiveRequestHead()
      vanish(connection.socket)
    })
    await at.balancer.apply([at.backend.port, { port: other.port, backup: true }], {
      ...patient,
      sockets,
      keepalive: { client: 1000, backend: 1000 },
    })
    const client = await RawClient.connect(at.balancer.port)
    await client.send(get)
    expect((await client.receiveResponse({}, 15_000)).body.toString()).toBe("other")
    await client.close()
  }, 30_000)
})
