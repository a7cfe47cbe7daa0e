/** NTLM and Negotiate authenticate a connection: it is its client's alone, for as long as both live. */
import { describe, expect } from "bun:test"
import { comesToRest } from "../faults/quiet.ts"
import { TestBalancer } from "../support/balancer.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend, answer } from "../support/scripted-backend.ts"
import type { BackendConnection, ScriptedRequest } from "../support/scripted-backend.ts"
import { sideBySide } from "../support/side-by-side.ts"

const test = sideBySide()

const ask = (authorization: string | null = null, line: string = "GET /"): string => {
  const field = authorization === null ? "" : `Authorization: ${authorization}\r\n`
  return `${line} HTTP/1.1\r\nHost: x\r\n${field}\r\n`
}

/** A server that wants `legs` messages of a scheme on one connection, and then knows whose connection that is. */
function authenticating(scheme: string, legs: number) {
  return async (connection: BackendConnection): Promise<void> => {
    let done = 0
    for (;;) {
      const request = await connection.receiveRequest()
      await connection.send(step(request))
    }
    function step(request: ScriptedRequest): string {
      const message = request.field("authorization")
      if (message === `${scheme} ${done + 1}` && done < legs) done++
      else if (message !== null) return answer(401, "out of step", `WWW-Authenticate: ${scheme}`)
      if (done === legs) return answer(200, `${request.method} on ${connection.index}`)
      const challenge = done === 0 ? scheme : `${scheme} challenge${done}`
      return answer(401, "", "WWW-Authenticate: Basic realm=x", `WWW-Authenticate: ${challenge}`)
    }
  }
}

async function statuses(client: RawClient, requests: readonly string[]): Promise<number[]> {
  const all: number[] = []
  for (const each of requests) all.push((await client.exchange(each)).status)
  return all
}

describe.each([
  ["NTLM", 2],
  ["Negotiate", 1],
  ["negotiate", 3],
])("%s in %d messages", (scheme, legs) => {
  const messages = Array.from({ length: legs }, (_, index) => ask(`${scheme} ${index + 1}`))
  const through = [...Array<number>(legs).fill(401), 200]

  test.each([
    ["round_robin", 512],
    ["sticky", 512],
    ["random", 0],
  ] as const)(
    "stays on one connection, with others in between (%s, pool %d)",
    async (strategy, idle) => {
      using one = await ScriptedBackend.start(authenticating(scheme, legs))
      using two = await ScriptedBackend.start(authenticating(scheme, legs))
      const part = { strategy, pool: { idle }, timeouts: { poolIdle: 200 } }
      const balancer = await TestBalancer.start([one.port, two.port], part)
      const clients = await Promise.all([1, 2, 3].map(() => RawClient.connect(balancer.port)))
      const seen: number[][] = clients.map(() => [])
      // All clients take each step before any takes the next one.
      for (const request of [ask(), ...messages]) {
        for (const [index, client] of clients.entries()) {
          seen[index]?.push((await client.exchange(request)).status)
        }
        const stranger = await RawClient.connect(balancer.port)
        expect((await stranger.exchange(ask())).status).toBe(401)
        await stranger.close()
      }
      for (const each of seen) expect(each).toEqual(through)
      // Longer than unused connections are kept.
      await Bun.sleep(500)
      for (const client of clients) {
        const body = async (line: string) =>
          (await client.exchange(ask(null, line))).body.toString()
        const first = await body("GET /again")
        expect(first).toStartWith("GET on ")
        expect(await body("POST /form")).toBe(first.replace("GET", "POST"))
      }
      for (const client of clients) await client.close()
      await comesToRest(balancer)
      for (const each of [...one.connections, ...two.connections]) await each.closed()
    },
  )
})

/** One client and the backend's connection that it has authenticated. */
async function authenticated(part: Parameters<typeof TestBalancer.start>[1] = {}) {
  const backend = await ScriptedBackend.start(authenticating("NTLM", 2))
  const other = await ScriptedBackend.start(authenticating("NTLM", 2))
  const balancer = await TestBalancer.start([backend.port], part)
  await balancer.apply([backend.port, { port: other.port, backup: true }], part)
  const client = await RawClient.connect(balancer.port)
  expect(await statuses(client, [ask(), ask("NTLM 1"), ask("NTLM 2")])).toEqual([401, 401, 200])
  const [far] = backend.connections as [BackendConnection]
  const close = (): void => {
    backend.stop()
    other.stop()
  }
  return { backend, other, balancer, client, far, [Symbol.dispose]: close }
}

describe("a pinned connection", () => {
  test.each([
    ["closes", (client: RawClient) => client.close()],
    ["resets", (client: RawClient) => client.reset()],
  ])("ends when its client %s", async (_how, leave) => {
    using at = await authenticated()
    await leave(at.client)
    await at.far.closed()
    await at.far.close()
    await comesToRest(at.balancer)
    expect(at.balancer.figure("bunlb_client_aborts_total")).toBe(0)
  })

  test.each([
    ["closes", (far: BackendConnection) => far.close()],
    ["half-closes", (far: BackendConnection) => far.halfClose()],
    ["resets", (far: BackendConnection) => far.reset()],
    ["speaks unasked", (far: BackendConnection) => far.send("HTTP/1.1 200 OK\r\n\r\n")],
  ])("takes its client's with it when the backend %s", async (_how, leave) => {
    using at = await authenticated()
    await leave(at.far)
    expect(await at.client.closed()).toEqual({ by: "end" })
    expect((await at.client.receiveRest()).length).toBe(0)
    await at.client.close()
    await comesToRest(at.balancer)
    expect(at.balancer.figure("bunlb_backend_failures_total")).toBe(0)
  })

  test("that dies under a request is not replaced: 502, and the client's ends", async () => {
    const resets = async (connection: BackendConnection): Promise<void> => {
      await connection.receiveRequest()
      await connection.send(answer(401, "", "WWW-Authenticate: NTLM"))
      await connection.receiveRequest()
      await connection.close()
    }
    using one = await ScriptedBackend.start(resets)
    using two = await ScriptedBackend.start(resets)
    const balancer = await TestBalancer.start([one.port, two.port])
    const client = await RawClient.connect(balancer.port)
    expect((await client.exchange(ask())).status).toBe(401)
    const response = await client.exchange(ask("NTLM 1"))
    expect([response.status, response.field("connection")]).toEqual([502, "close"])
    expect((await client.receiveRest()).length).toBe(0)
    expect(one.requests.length + two.requests.length).toBe(2)
    await client.close()
    await comesToRest(balancer)
  })

  test("that its backend is about to end says so to the client", async () => {
    using backend = await ScriptedBackend.start(async (connection) => {
      await connection.receiveRequest()
      await connection.send(answer(401, "", "WWW-Authenticate: Negotiate"))
      await connection.receiveRequest()
      await connection.send(answer(200, "last", "Connection: close"))
      await connection.close()
    })
    const balancer = await TestBalancer.start([backend.port])
    const client = await RawClient.connect(balancer.port)
    await client.exchange(ask())
    const response = await client.exchange(ask("Negotiate x"))
    expect([response.body.toString(), response.field("connection")]).toEqual(["last", "close"])
    expect((await client.receiveRest()).length).toBe(0)
    await client.close()
    await comesToRest(balancer)
  })

  test("ends with its backend: left out, or drained by hand", async () => {
    for (const gone of [false, true]) {
      using at = await authenticated()
      const rest = [{ port: at.other.port }]
      const drained = { port: at.backend.port, duty: "drain" as const }
      await at.balancer.apply(gone ? rest : [...rest, drained])
      expect(await at.client.closed()).toEqual({ by: "end" })
      await at.far.closed()
      await at.client.close()
      await comesToRest(at.balancer)
    }
  })

  test("ends in a drain", async () => {
    using at = await authenticated()
    expect(await at.balancer.drain(5000)).toBe(0)
    expect(await at.client.closed()).toEqual({ by: "end" })
    await at.far.closed()
  })

  test("serves while its backend is unhealthy for others, and through a reload", async () => {
    using at = await authenticated({ health: { type: "none", failures: 1 } })
    await at.balancer.apply([at.backend.port, at.other.port], { pool: { idle: 7 } })
    for (let i = 0; i < 4; i++) expect((await at.client.exchange(ask())).status).toBe(200)
    expect(at.backend.accepted).toBe(1)
    await at.client.close()
    await comesToRest(at.balancer)
  })

  test("may become a tunnel", async () => {
    using backend = await ScriptedBackend.start(async (connection) => {
      await connection.receiveRequest()
      await connection.send(answer(200, "", "WWW-Authenticate: Negotiate x"))
      await connection.receiveRequest()
      await connection.send("HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
      await connection.send(await connection.receiveRest())
      await connection.close()
    })
    const balancer = await TestBalancer.start([backend.port])
    const client = await RawClient.connect(balancer.port)
    await client.exchange(ask("Negotiate y"))
    await client.exchange(
      ask().replace("\r\n\r\n", "\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"),
    )
    await client.send("all of it")
    await client.halfClose()
    expect((await client.receiveRest()).toString()).toBe("all of it")
    await client.close()
    await comesToRest(balancer)
  })
})
