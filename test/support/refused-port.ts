/** Ports on 127.0.0.1 where nobody listens. */

/**
 * Below those that kernels give to whoever asks for any, on Linux (32768) and macOS (49152): nobody comes to listen
 * there by chance, and no dial to it begins at the same port, for such a one is answered, by itself.
 */
const FIRST_PORT = 12_000
const PORTS = 20_000

/** A port that is refused, until a test listens there. */
export function refusedPort(): number {
  const port = FIRST_PORT + Math.floor(Math.random() * PORTS)
  try {
    const socket = { data: () => {} }
    Bun.listen({ hostname: "127.0.0.1", port, exclusive: true, socket }).stop(true)
    return port
  } catch {
    return refusedPort()
  }
}
