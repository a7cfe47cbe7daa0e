/**
 * The bare relay, the floor under every balancer on this runtime: each client connection has a kept backend
 * connection, bytes go across unread. Two receives and two sends a request, and nothing else.
 *
 *   bun scripts/bench/relay.ts PORT BACKEND_PORT [true]      true: the backend speaks TLS
 */
import type { Socket, TCPSocketListener } from "bun"

interface End {
  /** The other end; null while it is being dialled. */
  other: Socket<End> | null
  /** What this end has not taken yet. */
  waiting: Buffer[]
}

const handlers = {
  data: (socket: Socket<End>, bytes: Buffer) => {
    const { other } = socket.data
    if (other === null) socket.data.waiting.push(bytes)
    else if (!pass(other, bytes)) socket.pause()
  },
  drain: (socket: Socket<End>) => {
    const { waiting, other } = socket.data
    for (const bytes of waiting.splice(0)) pass(socket, bytes)
    if (waiting.length === 0) other?.resume()
  },
  close: (socket: Socket<End>) => {
    socket.data.other?.terminate()
  },
}

/** False when some of it has to wait. */
function pass(to: Socket<End>, bytes: Buffer): boolean {
  const { waiting } = to.data
  const taken = waiting.length > 0 ? 0 : Math.max(0, to.write(bytes))
  if (taken < bytes.length) waiting.push(bytes.subarray(taken))
  return waiting.length === 0
}

async function pair(client: Socket<End>, backendPort: number, tls: boolean): Promise<void> {
  const backend = await Bun.connect<End>({
    hostname: "127.0.0.1",
    port: backendPort,
    data: { other: client, waiting: [] },
    socket: handlers,
    ...(tls ? { tls: { rejectUnauthorized: false } } : {}),
  })
  const early = client.data.waiting.splice(0)
  client.data.other = backend
  for (const bytes of early) pass(backend, bytes)
}

/** Port 0 takes a free one. */
export function startRelay(
  port: number,
  backendPort: number,
  tls: boolean,
): TCPSocketListener<End> {
  return Bun.listen<End>({
    hostname: "127.0.0.1",
    port,
    socket: {
      ...handlers,
      open: (client) => {
        client.data = { other: null, waiting: [] }
        pair(client, backendPort, tls).catch(() => client.terminate())
      },
    },
  })
}

if (import.meta.main) {
  const [port = 0, backendPort = 0] = process.argv.slice(2).map(Number)
  startRelay(port, backendPort, process.argv[4] === "true")
}
