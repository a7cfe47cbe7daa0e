/** Ports on 127.0.0.1 where nobody listens. */

/** Below those that kernels give to whoever asks for any, on Linux (32768) and macOS (49152). */
const FIRST_PORT = 12_000
const PORTS = 20_000

const nothing = { data: () => {} }
let holder: Bun.TCPSocketListener | null = null

/**
 * A port to which a dial is refused for as long as this process lives: nobody else can have it, because it is the near
 * end of an open connection.
 */
export async function refusedPort(): Promise<number> {
  holder ??= Bun.listen({ hostname: "127.0.0.1", port: 0, socket: nothing })
  const { port } = holder
  const held = await Bun.connect({ hostname: "127.0.0.1", port, socket: nothing })
  return held.localPort
}

/** A port that is refused now and can be listened to later. */
export function freePort(): number {
  const port = FIRST_PORT + Math.floor(Math.random() * PORTS)
  try {
    Bun.listen({ hostname: "127.0.0.1", port, exclusive: true, socket: nothing }).stop(true)
    return port
  } catch {
    return freePort()
  }
}
