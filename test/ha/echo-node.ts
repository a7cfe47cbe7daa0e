/**
 * The programs of a group that lingers, without keepalived. One answers each line with its own name before it, and
 * forgets its connections on SIGUSR2; one lets the peers hear its node as BFD does; one is a client that sends a line
 * at a time and prints what is answered.
 *
 *   bun test/ha/echo-node.ts serve NAME PORT
 *   bun test/ha/echo-node.ts beat PEER...
 *   bun test/ha/echo-node.ts ask HOST PORT
 */
import { createSocket } from "node:dgram"
import { BFD_MS } from "../../src/ha/stray-packets.ts"

const BFD_PORT = 3784
const ASK_MS = 10
const ASKING = 30

const [role, ...rest] = process.argv.slice(2)
if (role === "serve") serve(...(rest as [string, string]))
else if (role === "beat") beat(rest)
else void ask(...(rest as [string, string]))

function serve(name: string, port: string): void {
  const open = new Set<Bun.Socket>()
  Bun.listen({
    hostname: "0.0.0.0",
    port: Number(port),
    socket: {
      open: (socket) => void open.add(socket),
      data: (socket, lines) => {
        for (const line of lines.toString().trim().split("\n")) socket.write(`${name}:${line}\n`)
      },
      close: (socket) => void open.delete(socket),
    },
  })
  process.on("SIGUSR2", () => {
    for (const socket of open) socket.terminate()
    console.log("forgot")
  })
  console.log("serves")
}

function beat(peers: readonly string[]): void {
  const socket = createSocket("udp4")
  socket.bind(0, () => {
    socket.setTTL(255)
    setInterval(() => {
      for (const peer of peers) socket.send("alive", BFD_PORT, peer, () => {})
    }, BFD_MS)
    console.log("beats")
  })
}

/** All connections ask at the same moment, so that their packets come in a row; the first one prints. */
async function ask(host: string, port: string): Promise<void> {
  const dial = (index: number): Promise<Bun.Socket> =>
    Bun.connect({
      hostname: host,
      port: Number(port),
      socket: {
        data: (_socket, answer) => void (index === 0 && console.log(answer.toString().trim())),
        close: (_socket, error) => end(error === undefined ? "closed" : "reset"),
      },
    })
  try {
    const sockets = await Promise.all(Array.from({ length: ASKING }, (_, index) => dial(index)))
    let sent = 0
    setInterval(() => {
      sent++
      for (const socket of sockets) socket.write(`${sent}\n`)
    }, ASK_MS)
  } catch {
    end("refused")
  }
}

function end(how: string): void {
  console.log(how)
  process.exit(0)
}
