/** What an acceptor makes of a listening descriptor. What is received there: linux/direct-socket.test.ts. */
import { expect } from "bun:test"
import { Acceptor } from "../../src/net/acceptor.ts"
import { DirectSocket } from "../../src/net/linux/direct-socket.ts"
import { poller } from "../../src/net/linux/poller.ts"
import { openListeners } from "../../src/net/listeners.ts"
import type { SocketOwner } from "../../src/net/transport/socket.ts"
import { onLinux } from "../support/left-out.ts"
import { PATIENCE_MS, until } from "../support/until.ts"

const test = onLinux("direct sockets", "elsewhere all sockets are Bun's")

/** Does nothing with what it hears. */
class Silent implements SocketOwner {
  received(): void {}
  drained(): void {}
  ended(): void {}
  closed(): void {}
  crashed(): void {}
}

test("each acceptor has the kind of sockets that it was given, whatever others of the process have", async () => {
  const kinds: string[] = []
  for (const direct of [poller(), null, poller()]) {
    const { port, fds } = openListeners("127.0.0.1", 0, 1)
    const acceptor = new Acceptor<Silent>(fds[0] ?? -1, direct, (socket) => {
      kinds.push(socket instanceof DirectSocket ? "direct" : "bun")
      return new Silent()
    })
    acceptor.resume()
    const peer = { hostname: "127.0.0.1", port, socket: { data() {} } }
    const before = kinds.length
    const socket = await Bun.connect(peer)
    await until(() => kinds.length > before, PATIENCE_MS, "the connection")
    acceptor.close()
    socket.terminate()
  }
  expect(kinds).toEqual(["direct", "bun", "direct"])
})
