/** Large bodies, which the kernel moves on: what clients and backends see when either side is odd. */
import { expect, test } from "bun:test"
import { TestBalancer } from "../support/balancer.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend, type BackendConnection } from "../support/scripted-backend.ts"

/** More than is on its way while nobody reads, and no two pieces alike. */
const LARGE = Buffer.from(Uint32Array.from({ length: 1_000_000 }, (_, i) => i).buffer)

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`
const headFor = (length: number): string => `HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`

type Script = (connection: BackendConnection, target: string) => Promise<unknown>

async function serving(script: Script) {
  const backend = await ScriptedBackend.start(async (connection) => {
    for (;;) {
      const { target } = await connection.receiveRequest()
      await script(connection, target)
    }
  })
  const balancer = await TestBalancer.start([backend.port])
  const client = await RawClient.connect(balancer.port)
  const close = (): void => {
    client.reset()
    backend.stop()
  }
  return { backend, balancer, client, [Symbol.dispose]: close }
}

async function whole(connection: BackendConnection): Promise<void> {
  await connection.send(headFor(LARGE.length))
  await connection.send(LARGE)
}

/** Reads on when what can be on its way is. */
async function readLate(client: RawClient): Promise<void> {
  await client.receiveUntil("\r\n\r\n")
  client.pause()
  await Bun.sleep(40)
  client.resume()
}

test("who reads late gets all of it, then the answers to what it pipelined", async () => {
  using place = await serving(async (connection, target) => {
    if (target === "/large") await whole(connection)
    else await connection.send(`${headFor(target.length)}${target}`)
  })
  const { client, backend } = place
  void client.send(get("/large") + get("/second") + get("/large") + get("/last"))
  await readLate(client)
  expect((await client.receiveBytes(LARGE.length)).equals(LARGE)).toBe(true)
  expect((await client.receiveResponse()).body.toString()).toBe("/second")
  expect((await client.receiveResponse()).body.equals(LARGE)).toBe(true)
  expect((await client.receiveResponse()).body.toString()).toBe("/last")
  expect(backend.accepted).toBe(1)
})

test("a client of HTTP/1.0 that reads late gets all of it, then the end", async () => {
  using place = await serving(whole)
  void place.client.send("GET / HTTP/1.0\r\n\r\n")
  await readLate(place.client)
  expect((await place.client.receiveRest()).equals(LARGE)).toBe(true)
})

test.each(["close", "reset"] as const)("the client sees a backend's %s half way", async (how) => {
  using place = await serving(async (connection) => {
    await connection.send(headFor(LARGE.length))
    await connection.send(LARGE.subarray(0, LARGE.length / 2))
    await connection[how]()
  })
  void place.client.send(get("/"))
  expect((await place.client.closed()).by).toBe("end")
  // A backend that resets may lose what it has not sent yet.
  const received = place.client.received.subarray(headFor(LARGE.length).length)
  if (how === "close") expect(received.length).toBe(LARGE.length / 2)
  expect(received.equals(LARGE.subarray(0, received.length))).toBe(true)
  expect(place.balancer.figure("bunlb_truncated_responses_total")).toBe(1)
})

test("what a backend says beyond its body reaches nobody", async () => {
  using place = await serving(async (connection) => {
    await connection.send(headFor(LARGE.length))
    await connection.send(Buffer.concat([LARGE, Buffer.from(`${headFor(4)}evil`)]))
  })
  for (let i = 0; i < 2; i++) {
    const { body } = await place.client.exchange(get("/"))
    expect(body.equals(LARGE)).toBe(true)
  }
  expect(place.backend.accepted).toBe(2)
})

test("what was moved counts as what was sent", async () => {
  using place = await serving(whole)
  const { raw } = await place.client.exchange(get("/"))
  const { balancer } = place
  expect(balancer.figure("bunlb_bytes_total", "from_backend")).toBe(raw.length)
  expect(balancer.figure("bunlb_bytes_total", "to_client")).toBe(raw.length)
})
