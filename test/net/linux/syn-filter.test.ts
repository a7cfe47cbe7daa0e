/** Listeners that acceptPackets who has knocked and nobody after them, by each of the two means. */
import { afterEach, describe, expect, test } from "bun:test"
import { closeListeners, openListeners } from "../../../src/net/listeners.ts"
import {
  acceptPackets,
  dropByHopCount,
  dropNewConnections,
} from "../../../src/net/linux/syn-filter.ts"
import { isLeftOut } from "../../support/left-out.ts"
import { connectionsOf, dropNewConnectionsTo } from "../../support/port-sockets.ts"
import { PATIENCE_MS, until } from "../../support/until.ts"

const elsewhere = isLeftOut("newcomers", process.platform === "linux", "only Linux can")
/** Longer than loopback takes, and shorter than the second after which a kernel tries again. */
const UNHEARD_MS = 250

const ends: (() => void)[] = []
afterEach(() => {
  for (const end of ends.splice(0)) end()
})

/** A listener that answers each piece with `heard`; `sockets` are its connections. */
function serve(hostname: string) {
  const sockets: Bun.Socket[] = []
  const listener = Bun.listen({
    ...{ hostname, port: 0 },
    socket: {
      open: (socket) => void sockets.push(socket),
      data: (socket) => void socket.write("heard"),
    },
  })
  ends.push(() => listener.stop(true))
  return { port: listener.port, sockets }
}

function connect(hostname: string, port: number) {
  const seen = { answers: 0, connected: false }
  const dialled = Bun.connect({
    ...{ hostname, port },
    socket: {
      open: () => void (seen.connected = true),
      data: () => void seen.answers++,
    },
  })
  dialled.then((socket) => ends.push(() => socket.terminate())).catch(() => {})
  return { seen, dialled }
}

describe.skipIf(elsewhere).each(["127.0.0.1", "::1"])("at %s", (host) => {
  test.each([
    ["the best means there is", dropNewConnections],
    ["the hop count", (fd: number) => dropByHopCount(fd)],
  ])("a newcomer is not heard, by %s", async (_, ignore) => {
    const { port, fds } = openListeners(host, 0, 1)
    ends.push(() => closeListeners(fds))
    await connect(host, port).dialled
    ignore(fds[0] ?? -1)
    const late = connect(host, port)
    await Bun.sleep(UNHEARD_MS)
    expect(late.seen.connected).toBeFalse()
  })

  test("who was ignored by the hop count and is heard again loses nothing", async () => {
    const { port, sockets } = serve(host)
    const { seen, dialled } = connect(host, port)
    const client = await dialled
    await until(() => sockets.length === 1, PATIENCE_MS, "the connection")
    // What a connection has that was made after its listener was told.
    const fd = (sockets[0] as unknown as { readonly fd: number }).fd
    dropByHopCount(fd)
    client.write("hello")
    await Bun.sleep(50)
    expect(seen.answers).toBe(0)
    acceptPackets(fd)
    await until(() => seen.answers === 1, PATIENCE_MS, "what its kernel sends again")
  })

  test("of a port only the listener is told, and who is connected goes on", async () => {
    const { port } = serve(host)
    const { seen, dialled } = connect(host, port)
    const client = await dialled
    dropNewConnectionsTo(port)
    const late = connect(host, port)
    client.write("hello")
    await until(() => seen.answers === 1, PATIENCE_MS, "the answer")
    await Bun.sleep(UNHEARD_MS)
    expect(late.seen.connected).toBeFalse()
    for (const fd of connectionsOf(port)) acceptPackets(fd)
    client.write("hello again")
    await until(() => seen.answers === 2, PATIENCE_MS, "the second answer")
  })
})
