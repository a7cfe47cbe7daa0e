/**
 * A program: one request on a new connection every few milliseconds, whatever became of the others, until SIGTERM; then
 * one line of JSON with what became of each.
 *
 *   bun test/ha/client.ts HOST[,HOST...] PORT EVERY_MS [PATH]
 *
 * With several addresses a request that fails goes on to the next, as a browser does with a name that has several.
 */
import type { Asked } from "./outage.ts"

/** As long as a person waits, and one retransmission of the kernel more than it takes. */
const PATIENCE_MS = 1_500
/** How long an address that does not answer is waited for while there is another. */
const NEXT_MS = 250

const [list = "", port = "", every = "", path = "/"] = process.argv.slice(2)
const REQUEST = `GET ${path} HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n`
const hosts = list.split(",")
const asked: Asked[] = []
const now = (): number => performance.timeOrigin + performance.now()

/** Resolves with the first line of the answer, or with what went wrong. */
async function attempt(host: string, limitMs: number): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  const late = setTimeout(() => resolve("late"), limitMs)
  const dial = Bun.connect({
    hostname: host,
    port: Number(port),
    socket: {
      open: (socket) => void socket.write(REQUEST),
      data: (_socket, bytes) => resolve(bytes.toString("latin1").split("\r\n")[0] ?? ""),
      close: (_socket, error) => resolve(error === undefined ? "closed" : "reset"),
      error: () => resolve("error"),
    },
  })
  dial.catch(() => resolve("refused"))
  const outcome = await promise
  clearTimeout(late)
  void dial.then(
    (socket) => socket.terminate(),
    () => {},
  )
  return outcome
}

async function ask(): Promise<void> {
  const start = now()
  let outcome = ""
  for (const [index, host] of hosts.entries()) {
    outcome = await attempt(host, index < hosts.length - 1 ? NEXT_MS : PATIENCE_MS)
    if (outcome.startsWith("HTTP/1.1 200")) outcome = "ok"
    if (outcome === "ok") break
  }
  asked.push({ start, took: now() - start, outcome })
}

let underWay = 0
const timer = setInterval(() => {
  underWay++
  void ask().finally(() => underWay--)
}, Number(every))
console.log("asks")

process.on("SIGTERM", async () => {
  clearInterval(timer)
  while (underWay > 0) await Bun.sleep(5)
  console.log(JSON.stringify(asked))
  process.exit(0)
})
