/** Sticky: the cookie names the backend, on every balancer with the same backends. */
import { describe, expect, test } from "bun:test"
import { tokenOf } from "../../src/balance/token.ts"
import { TestBalancer, type SettingsPart } from "../support/balancer.ts"
import { RawClient, type RawResponse } from "../support/raw-client.ts"
import { ScriptedBackend, answering } from "../support/scripted-backend.ts"
import { valuesOf } from "../support/messages.ts"

const sticky = { strategy: "sticky" } as const

async function backends(count: number) {
  const stack = new DisposableStack()
  const all: ScriptedBackend[] = []
  for (let i = 0; i < count; i++) {
    all.push(stack.use(await ScriptedBackend.start(answering(() => String(i)))))
  }
  return { all, ports: all.map(({ port }) => port), [Symbol.dispose]: () => stack.dispose() }
}

async function ask(balancer: TestBalancer, ...fields: string[]): Promise<RawResponse> {
  const client = await RawClient.connect(balancer.port)
  const response = await client.exchange(
    `${["GET / HTTP/1.1", "Host: x", ...fields].join("\r\n")}\r\n\r\n`,
  )
  await client.close()
  return response
}

const cookieOf = (response: RawResponse): string =>
  (response.field("set-cookie") ?? "").split(";")[0] ?? ""

test("a client without a cookie gets one, once, and keeps its backend by it", async () => {
  using pool = await backends(3)
  const balancer = await TestBalancer.start(pool.ports, sticky)
  const first = await ask(balancer)
  expect(valuesOf(first.fields, "set-cookie")).toHaveLength(1)
  for (let i = 0; i < 10; i++) {
    const next = await ask(balancer, `Cookie: ${cookieOf(first)}`)
    expect(next.body).toEqual(first.body)
    expect(next.field("set-cookie")).toBeNull()
  }
})

test("a second balancer with the same backends, in another order, follows the cookie", async () => {
  using pool = await backends(3)
  const one = await TestBalancer.start(pool.ports, sticky)
  const two = await TestBalancer.start(pool.ports.toReversed(), sticky)
  for (let i = 0; i < 3; i++) {
    const first = await ask(one)
    const other = await ask(two, `Cookie: ${cookieOf(first)}`)
    expect(other.body).toEqual(first.body)
    expect(other.field("set-cookie")).toBeNull()
  }
})

test("clients without a cookie are spread over all backends", async () => {
  using pool = await backends(3)
  const balancer = await TestBalancer.start(pool.ports, sticky)
  const seen = new Set<string>()
  for (let i = 0; i < 3; i++) seen.add((await ask(balancer)).body.toString())
  expect(seen.size).toBe(3)
})

test("when its backend refuses, a client moves and gets a cookie for the new one", async () => {
  using pool = await backends(2)
  const balancer = await TestBalancer.start(pool.ports, { ...sticky, health: { failures: 1 } })
  const first = await ask(balancer)
  const index = Number(first.body.toString())
  pool.all[index]?.stop()
  // The first request after the death fails over, the second finds the breaker open.
  for (let i = 0; i < 2; i++) {
    const moved = await ask(balancer, `Cookie: ${cookieOf(first)}`)
    expect([moved.status, moved.body.toString()]).toEqual([200, String(1 - index)])
    expect(cookieOf(moved)).toMatch(/^bunlb=[0-9a-f]{12}$/)
    expect(cookieOf(moved)).not.toBe(cookieOf(first))
  }
})

test.each([
  ["of another balancer", "bunlb=000000000000"],
  ["that is garbage", "bunlb=<script>"],
  ["that is empty", "bunlb="],
])("a cookie %s is replaced", async (_what, cookie) => {
  using pool = await backends(2)
  const balancer = await TestBalancer.start(pool.ports, sticky)
  const response = await ask(balancer, `Cookie: ${cookie}`)
  expect(response.status).toBe(200)
  expect(cookieOf(response)).toMatch(/^bunlb=[0-9a-f]{12}$/)
})

describe("what is set", () => {
  const setWith = async (settings: SettingsPart, ...fields: string[]): Promise<string> => {
    using pool = await backends(1)
    const balancer = await TestBalancer.start(pool.ports, { ...sticky, ...settings })
    return (await ask(balancer, ...fields)).field("set-cookie") ?? ""
  }
  const plain = "; Path=/; HttpOnly; SameSite=Lax"
  const overTls = "X-Forwarded-Proto: https"
  const trusting = { trustedProxies: ["127.0.0.0/8"] }

  test("is HttpOnly, SameSite=Lax, for all paths, and no address", async () => {
    using pool = await backends(1)
    const balancer = await TestBalancer.start(pool.ports, sticky)
    const cookie = (await ask(balancer)).field("set-cookie") ?? ""
    const token = tokenOf(`127.0.0.1:${pool.ports[0]}`, balancer.settings.sticky.key ?? "")
    expect(cookie).toBe(`bunlb=${token.toString(16).padStart(12, "0")}${plain}`)
  })

  test("is Secure when a trusted proxy says https", async () => {
    expect(await setWith(trusting, overTls)).toEndWith(`${plain}; Secure`)
  })

  test("is not Secure when anyone else says so", async () => {
    expect(await setWith({}, overTls)).toEndWith(plain)
  })

  test("is as the settings say", async () => {
    const settings = { cookie: "at", secure: "on", sameSite: "none", maxAge: 60 } as const
    expect(await setWith({ sticky: settings })).toMatch(
      /^at=[0-9a-f]{12}; Path=\/; HttpOnly; SameSite=None; Secure; Max-Age=60$/,
    )
    expect(await setWith({ ...trusting, sticky: { secure: "off" } }, overTls)).toEndWith(plain)
  })
})

test("the backend sees other cookies and not bunlb's", async () => {
  using pool = await backends(1)
  const balancer = await TestBalancer.start(pool.ports, sticky)
  const own = cookieOf(await ask(balancer))
  await ask(balancer, `Cookie: a=1; ${own}; b=2`)
  await ask(balancer, `Cookie: ${own}`)
  await ask(balancer, "Cookie: c=3", `Cookie: ${own}; d=4`)
  const seen = pool.all[0]?.requests.slice(1).map(({ fields }) => valuesOf(fields, "cookie"))
  expect(seen).toEqual([["a=1; b=2"], [], ["c=3", "d=4"]])
})

test("without the sticky strategy a cookie of that name is the backend's business", async () => {
  using pool = await backends(1)
  const balancer = await TestBalancer.start(pool.ports)
  expect((await ask(balancer, "Cookie: bunlb=000000000000")).field("set-cookie")).toBeNull()
  expect(pool.all[0]?.requests[0]?.field("cookie")).toBe("bunlb=000000000000")
})
