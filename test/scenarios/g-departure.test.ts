/**
 * A client that goes away while its request is being served: by FIN, by half a close, by a reset. The backend hears of
 * it at once, the client's abort is logged and counted, and the backend is not blamed. `half_close` serves clients
 * that have closed their sending side only.
 */
import { describe, expect, test } from "bun:test"
import { AccessLogFile } from "../support/access-log.ts"
import { TestBalancer } from "../support/balancer.ts"
import { blackhole } from "../support/blackhole.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend, answer } from "../support/scripted-backend.ts"
import type { BackendConnection } from "../support/scripted-backend.ts"
import { SlowReader } from "../support/slow-reader.ts"
import { until } from "../support/until.ts"
import { comesToRest } from "../faults/quiet.ts"

const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
const post = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
const upgrade = "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
const upload = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n"
const chunks = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n"
const events = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n"
const megabytes = "x".repeat(8 * 1024 * 1024)
const DIRECT = process.platform === "linux" && process.env.BUNLB_TEST_SOCKETS !== "bun"

/** One client, one backend, both in the test's hands, and no time limit that could end anything. */
async function scene(part: Parameters<typeof TestBalancer.start>[1] = {}) {
  const arrived = Promise.withResolvers<BackendConnection>()
  const backend = await ScriptedBackend.start(async (connection) => {
    await connection.receiveRequestHead()
    arrived.resolve(connection)
  })
  const file = new AccessLogFile()
  const balancer = await TestBalancer.start([backend.port], {
    health: { failures: 1, type: "none" },
    accessLog: { format: "json", path: file.path },
    ...part,
  })
  const client = await RawClient.connect(balancer.port)
  const close = (): void => {
    backend.stop()
    file[Symbol.dispose]()
  }
  return { backend, balancer, client, file, far: arrived.promise, [Symbol.dispose]: close }
}

type Scene = Awaited<ReturnType<typeof scene>>

const ways: readonly (readonly [string, (client: RawClient) => unknown])[] = [
  ["closes", (client) => client.socket?.end()],
  ["half-closes", (client) => client.halfClose()],
  ["resets", (client) => client.reset()],
]

/** What happens before the client leaves, and how its line in the access log then ends. */
const moments: readonly (readonly [string, (scene: Scene) => Promise<unknown>, string, number])[] =
  [
    ["a long poll", ({ client, far }) => client.send(get).then(() => far), "CH", 499],
    [
      "a POST that is sent whole",
      ({ client, far }) => client.send(post).then(() => far),
      "CH",
      499,
    ],
    [
      "half a response head",
      async ({ client, far }) => {
        await client.send(get)
        await (await far).send("HTTP/1.1 200 OK\r\nConte")
        await Bun.sleep(20)
      },
      "CH",
      499,
    ],
    [
      "a silent event stream",
      async ({ client, far }) => {
        await client.send(get)
        await (await far).send(events)
        await client.receiveUntil("data: 1")
      },
      "CD",
      200,
    ],
    [
      "a response that ends with its connection",
      async ({ client, far }) => {
        await client.send(get)
        await (await far).send("HTTP/1.1 200 OK\r\n\r\nhalf")
        await client.receiveUntil("half")
      },
      "CD",
      200,
    ],
    [
      "requests in line",
      ({ client, far }) => client.send(get.repeat(3)).then(() => far),
      "CH",
      499,
    ],
    [
      "a switch of protocols that is not answered yet",
      ({ client, far }) => client.send(upgrade).then(() => far),
      "CH",
      499,
    ],
    ["half a body", ({ client, far }) => client.send(`${upload}x`).then(() => far), "CR", 499],
  ]

const uploads: typeof moments = [upload, chunks].map((head) => [
  head === upload ? "an upload that the backend does not read" : "the same in chunks",
  async ({ client, far, balancer }: Scene) => {
    await client.send(head)
    ;(await far).pause()
    const passed = (): number => balancer.figure("bunlb_bytes_total", "from_client")
    const piece = "x".repeat(64 * 1024)
    // Until a piece stays in the kernel: then the client is not read any more, and its FIN comes behind that piece.
    for (let sent = head.length + piece.length; ; sent += piece.length) {
      await client.send(piece)
      const all = until(() => passed() === sent, 300, "the piece")
      if (!(await all.then(() => true).catch(() => false))) return
    }
  },
  "CR",
  499,
])

/** The client is not read: direct sockets alone tell of its FIN. */
const unread: typeof moments = [
  ...uploads,
  [
    "so many requests in line that it is not read",
    async ({ client, far }) => {
      await client.send(get)
      await far
      await client.send(get.repeat(1_000))
    },
    "CH",
    499,
  ],
]

describe.each(ways)("43: a client that %s", (_how, leave) => {
  test.each([...moments, ...(DIRECT ? unread : [])])(
    "during %s",
    async (_what, play, end, status) => {
      using at = await scene()
      await play(at)
      await leave(at.client)
      const far = await at.far
      far.resume()
      await far.closed()
      await far.close()
      expect((await at.file.lines(1))[0]).toMatchObject({ end, status })
      expect(at.balancer.figure("bunlb_client_aborts_total")).toBe(1)
      expect(at.balancer.figure("bunlb_backend_failures_total")).toBe(0)
      expect(at.balancer.figure("bunlb_backend_up")).toBe(1)
      at.client.reset()
      await comesToRest(at.balancer)
      // Nothing that was in line behind it has been served for nobody.
      expect(at.backend.accepted).toBe(1)
      expect(at.balancer.figure("bunlb_tunnels")).toBe(0)
    },
  )

  test("during a dial", async () => {
    using hole = await blackhole()
    const balancer = await TestBalancer.start([hole.port], { timeouts: { connect: 30_000 } })
    const client = await RawClient.connect(balancer.port)
    const dialing = (): number => balancer.figure("bunlb_backend_connections", '"dialing"')
    await client.send(post)
    await until(() => dialing() === 1, 3000, "the dial")
    await leave(client)
    await until(() => dialing() === 0, 5000, "the end of the dial")
    expect(balancer.figure("bunlb_client_aborts_total")).toBe(1)
    expect(balancer.figure("bunlb_backend_failures_total")).toBe(0)
    client.reset()
    await comesToRest(balancer)
  })

  test("after its response is no abort, and gets all of it", async () => {
    using backend = await ScriptedBackend.start(async (connection) => {
      await connection.receiveRequest()
      await connection.send(answer(200, megabytes))
    })
    const balancer = await TestBalancer.start([backend.port])
    const client = await RawClient.connect(balancer.port)
    client.pause()
    await client.send(get)
    client.resume()
    expect((await client.receiveResponse()).body.length).toBe(megabytes.length)
    await leave(client)
    client.reset()
    await comesToRest(balancer)
    expect(balancer.figure("bunlb_client_aborts_total")).toBe(0)
  })
})

test("clients that leave a slow page do not take its backend out", async () => {
  using backend = await ScriptedBackend.start(async (connection) => {
    await connection.receiveRequest()
    await connection.closed(Infinity)
    await connection.close()
  })
  const balancer = await TestBalancer.start([backend.port], { timeouts: { responseHead: 500 } })
  for (let i = 0; i < 8; i++) {
    const client = await RawClient.connect(balancer.port)
    await client.send(get)
    await until(() => backend.requests.length === i + 1, 3000, "the request")
    client.socket?.end()
  }
  await comesToRest(balancer)
  expect(balancer.figure("bunlb_client_aborts_total")).toBe(8)
  expect(balancer.figure("bunlb_backend_failures_total")).toBe(0)
  expect(balancer.changes).toEqual([])
})

describe("half_close", () => {
  test("gives half-closed clients their responses, those in line too", async () => {
    using backend = await ScriptedBackend.start(async (connection) => {
      for (;;) {
        const { target } = await connection.receiveRequest()
        await Bun.sleep(30)
        await connection.send(answer(200, target))
      }
    })
    const balancer = await TestBalancer.start([backend.port], { halfClose: true })
    const client = await RawClient.connect(balancer.port)
    await client.send(get.replace("/ ", "/a ") + get.replace("/ ", "/b "))
    await client.halfClose()
    expect((await client.receiveResponse()).body.toString()).toBe("/a")
    expect((await client.receiveResponse()).body.toString()).toBe("/b")
    expect((await client.receiveRest()).length).toBe(0)
    await client.close()
    await comesToRest(balancer)
    expect(balancer.figure("bunlb_client_aborts_total")).toBe(0)
  })

  test("takes over a reload, for connections that are open", async () => {
    using at = await scene({ halfClose: true })
    await at.client.send(get)
    await at.far
    await at.balancer.apply([at.backend.port], { halfClose: false })
    await at.client.halfClose()
    await (await at.far).closed()
    expect(at.balancer.figure("bunlb_client_aborts_total")).toBe(1)
  })

  test("a time limit that passes for a half-closed client is not the backend's failure", async () => {
    using at = await scene({ halfClose: true, timeouts: { responseHead: 300 } })
    await at.client.send(get)
    await at.far
    await at.client.halfClose()
    expect((await at.client.receiveResponse()).status).toBe(504)
    expect(at.balancer.figure("bunlb_backend_failures_total")).toBe(0)
    expect(at.balancer.figure("bunlb_backend_up")).toBe(1)
    await at.client.close()
  })

  test("half a body is half a request all the same", async () => {
    using at = await scene({ halfClose: true })
    await at.client.send(`${upload}x`)
    await at.far
    await at.client.halfClose()
    await (await at.far).closed()
    expect(at.balancer.figure("bunlb_client_aborts_total")).toBe(1)
  })
})

test.skipIf(process.platform !== "linux")(
  "a client that ends and then resets has left once",
  async () => {
    using at = await scene()
    const reader = await SlowReader.connect(at.balancer.port)
    await reader.send(get)
    void (await at.far).send(`HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n${megabytes}`)
    await reader.receive(100)
    reader.halfClose()
    const aborts = (): number => at.balancer.figure("bunlb_client_aborts_total")
    await until(() => aborts() === 1, 5000, "the end")
    // With unread bytes it is a reset.
    reader.close()
    await at.client.close()
    await comesToRest(at.balancer)
    expect(aborts()).toBe(1)
  },
)

test("bytes of another protocol and a FIN before the 101 wait for it, and the tunnel is half-closed", async () => {
  using at = await scene()
  await at.client.send(`${upgrade}stdin`)
  const far = await at.far
  await at.client.halfClose()
  await Bun.sleep(50)
  await far.send("HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
  expect((await far.receiveRest()).toString()).toBe("stdin")
  await far.send("stdout")
  await far.close()
  expect((await at.client.receiveResponse()).status).toBe(101)
  expect((await at.client.receiveRest()).toString()).toBe("stdout")
  await at.client.close()
  await comesToRest(at.balancer)
  expect(at.balancer.figure("bunlb_client_aborts_total")).toBe(0)
})
