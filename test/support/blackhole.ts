/** A port on 127.0.0.1, or on all addresses, that never answers a SYN: its queue is full, so the kernel drops it. */
import { libc } from "../../src/net/linux/libc.ts"
import { openListeners } from "../../src/net/listeners.ts"

export async function blackhole(
  host: "127.0.0.1" | "0.0.0.0" = "127.0.0.1",
): Promise<Disposable & { readonly port: number }> {
  const { port, fds } = openListeners(host, 0, 1)
  for (const fd of fds) libc().listen(fd, 0)
  const fillers = Array.from({ length: 4 }, () =>
    Bun.connect({ hostname: "127.0.0.1", port, socket: { data: () => {} } }).catch(() => null),
  )
  // The first of them is taken, and with it the queue is full.
  await Promise.race(fillers)
  return {
    port,
    [Symbol.dispose]: () => {
      for (const fd of fds) libc().close(fd)
      for (const filler of fillers) void filler.then((socket) => socket?.terminate())
    },
  }
}
