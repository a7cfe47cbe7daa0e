/** When a listener that takes nobody new any more may close. */
import { expect } from "bun:test"
import { closeListeners, openListeners } from "../../../src/net/listeners.ts"
import { handshakesEnd } from "../../../src/net/linux/handshakes.ts"
import { onLinux } from "../../support/left-out.ts"

const LIMIT_MS = 3_000

async function timeOf(fd: number, port: number, limitMs: number): Promise<number> {
  const began = performance.now()
  await handshakesEnd(fd, port, limitMs)
  return performance.now() - began
}

onLinux("a listener without anybody on the way", "elsewhere nobody tells")(
  "at once when nobody is on the way, not while somebody waits in its queue",
  async () => {
    const { fds, port } = openListeners("127.0.0.1", 0, 1)
    const [fd = -1] = fds
    expect(await timeOf(fd, port, LIMIT_MS)).toBeLessThan(LIMIT_MS - 500)
    const client = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } })
    expect(await timeOf(fd, port, 300)).toBeGreaterThan(290)
    client.terminate()
    closeListeners(fds)
  },
)
