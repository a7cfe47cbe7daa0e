/**
 * Clients that have gone quiet: each makes one request, reads the answer, and keeps its connection open. They live
 * in a process of their own, for the sake of its descriptors. As a program it prints a line when all are quiet, and one
 * for each connection that it loses.
 *
 *   bun scripts/bench/idle.ts PORT CONNECTIONS
 */
const AT_ONCE = 100
const request = Buffer.from("GET /small HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")

export interface IdleClients {
  /** Connections that the balancer has closed. */
  lost(): number
  stop(): Promise<void>
}

export async function openIdle(port: number, count: number, cores: string): Promise<IdleClients> {
  const command = [process.execPath, import.meta.path, String(port), String(count)]
  const child = Bun.spawn(["taskset", "-c", cores, ...command], {
    stdio: ["ignore", "pipe", "inherit"],
  })
  const killed = (): void => child.kill("SIGKILL")
  process.on("exit", killed)
  let lost = 0
  const quiet = Promise.withResolvers<void>()
  const listen = async (): Promise<void> => {
    for await (const said of child.stdout.pipeThrough(new TextDecoderStream())) {
      if (said.includes("quiet")) quiet.resolve()
      lost += said.split("lost").length - 1
    }
    quiet.reject(new Error("the idle clients could not connect"))
  }
  listen().catch(quiet.reject)
  await quiet.promise
  return {
    lost: () => lost,
    stop: async () => {
      process.off("exit", killed)
      killed()
      await child.exited
    },
  }
}

async function beIdle(port: number, count: number): Promise<void> {
  for (let begun = 0; begun < count; begun += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - begun) }, () => connectAndAsk(port))
    await Promise.all(some)
  }
  console.log("quiet")
}

function connectAndAsk(port: number): Promise<void> {
  const answered = Promise.withResolvers<void>()
  const connected = Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      open: (socket) => void socket.write(request),
      data: () => answered.resolve(),
      close: () => console.log("lost"),
    },
  })
  connected.catch(answered.reject)
  return answered.promise
}

if (import.meta.main) {
  const [port = 0, count = 0] = process.argv.slice(2).map(Number)
  await beIdle(port, count)
}
