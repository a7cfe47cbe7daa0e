/**
 * A backend that writes down every request before it answers, so that what it received is known even when it is
 * killed; and that closes connections shortly after an answer without a word, as servers do whose idle limit is
 * over.
 *
 *   bun counting-backend.ts PORT FILE
 */
import { appendFileSync } from "node:fs"
import type { Socket } from "bun"

const [port = "0", file = ""] = process.argv.slice(2)
const ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
/** Every so many answers are the last of their connection. */
const PATIENCE = 5
const LONGEST_WAIT_MS = 4
const ANSWER_MS = 3

interface Peer {
  text: string
  requests: number
  answers: number
}

let turns = 0

function answer(socket: Socket<Peer>): void {
  socket.write(ANSWER)
  if (++socket.data.answers % PATIENCE !== 0) return
  const { requests } = socket.data
  const endIfIdle = (): void => {
    if (socket.data.requests === requests) socket.end()
  }
  setTimeout(endIfIdle, ++turns % LONGEST_WAIT_MS)
}

const listener = Bun.listen<Peer>({
  hostname: "127.0.0.1",
  port: Number(port),
  socket: {
    open: (socket) => {
      socket.data = { text: "", requests: 0, answers: 0 }
    },
    data: (socket, bytes) => {
      const peer = socket.data
      peer.text += bytes.toString("latin1")
      for (;;) {
        const end = peer.text.indexOf("\r\n\r\nbody")
        if (end < 0) return
        const id = /^x-id: (\w+)$/im.exec(peer.text.slice(0, end).replaceAll("\r", ""))?.[1]
        appendFileSync(file, `${id}\n`)
        peer.text = peer.text.slice(end + 8)
        peer.requests++
        // Between the note and the answer there is time to be killed in.
        setTimeout(() => answer(socket), ANSWER_MS)
      }
    },
  },
})
console.log(`listening on ${listener.port}`)
