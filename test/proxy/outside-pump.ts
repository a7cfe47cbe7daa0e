/**
 * Clients and backends in a process of their own, so that whatever comes to be in the balancer's process is the
 * balancer's. As a program: tells its backends' ports, then sends as many requests as it is told to.
 */
import type { Socket } from "bun"

/** What goes to and fro. */
export interface Traffic {
  readonly request: string
  readonly response: string
  /** Bytes of the larger body in it at least: what is shorter is no whole message. */
  readonly requestBytes: number
  readonly responseBytes: number
}

interface State {
  /** Bytes of the message at hand. */
  got: number
}

const NEWLINE = 10

/** The sender of the messages and the program that plays both ends. */
export class OutsidePump {
  readonly #program: Bun.Subprocess
  #answer = Promise.withResolvers<unknown>()

  private constructor(traffic: Traffic) {
    this.#program = Bun.spawn([process.execPath, import.meta.path, JSON.stringify(traffic)], {
      stdio: ["ignore", "ignore", "inherit"],
      ipc: (message) => this.#answer.resolve(message),
    })
  }

  static async start(traffic: Traffic): Promise<{ pump: OutsidePump; ports: readonly number[] }> {
    const pump = new OutsidePump(traffic)
    return { pump, ports: (await pump.#answer.promise) as number[] }
  }

  async #ask(message: unknown): Promise<void> {
    this.#answer = Promise.withResolvers()
    this.#program.send(message)
    await this.#answer.promise
  }

  connect(port: number, connections: number): Promise<void> {
    return this.#ask({ port, connections })
  }

  /** Resolves when `count` requests have been answered. */
  run(count: number): Promise<void> {
    return this.#ask({ count })
  }

  /** The second backend goes away or comes back. */
  second(open: boolean): Promise<void> {
    return this.#ask({ open })
  }

  stop(): void {
    this.#program.kill()
  }
}

if (import.meta.main) serve(JSON.parse(process.argv[2] ?? "") as Traffic)

function serve(traffic: Traffic): void {
  const request = Buffer.from(traffic.request, "latin1")
  const response = Buffer.from(traffic.response, "latin1")
  const say = (message: unknown): void => void process.send?.(message)
  const backend = (port: number) =>
    Bun.listen<State>({
      hostname: "127.0.0.1",
      port,
      socket: {
        open: (socket) => void (socket.data = { got: 0 }),
        data: (socket, bytes) => {
          if (isWhole(socket.data, bytes, traffic.requestBytes)) put(socket, response)
        },
        drain: flush,
      },
    })
  const first = backend(0)
  let second = backend(0)
  const clients: Socket<State>[] = []
  let left = 0
  let busy = 0
  const ask = (socket: Socket<State>): void => {
    left--
    put(socket, request)
  }
  const socket = {
    open: (opened: Socket<State>) => void (opened.data = { got: 0 }),
    data: (from: Socket<State>, bytes: Buffer) => {
      if (!isWhole(from.data, bytes, traffic.responseBytes)) return
      if (left > 0) ask(from)
      else if (--busy === 0) say("done")
    },
    drain: flush,
    close: () => process.exit(1),
  }
  process.on("message", async (message: Record<string, number | boolean>) => {
    if ("port" in message) {
      for (let i = 0; i < Number(message.connections); i++) {
        const port = Number(message.port)
        clients.push(await Bun.connect<State>({ hostname: "127.0.0.1", port, socket }))
      }
      say("connected")
    } else if ("open" in message) {
      const { port } = second
      if (message.open === true) second = backend(port)
      else second.stop(true)
      say("changed")
    } else {
      left = Number(message.count)
      busy = Math.min(left, clients.length)
      for (const client of clients.slice(0, busy)) ask(client)
    }
  })
  say([first.port, second.port])
}

/** A message ends with a line end, and is at least so long; nothing within it ends a read with one. */
function isWhole(state: State, bytes: Buffer, least: number): boolean {
  state.got += bytes.length
  if (bytes[bytes.length - 1] !== NEWLINE || state.got < least) return false
  state.got = 0
  return true
}

const waiting = new WeakMap<object, Buffer>()

function put(socket: Socket<State>, bytes: Buffer): void {
  const taken = socket.write(bytes)
  if (taken < bytes.length) waiting.set(socket, bytes.subarray(Math.max(0, taken)))
}

function flush(socket: Socket<State>): void {
  const rest = waiting.get(socket)
  waiting.delete(socket)
  if (rest !== undefined) put(socket, rest)
}
