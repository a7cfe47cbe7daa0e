/** Several bunlbs act as one for clients with a sticky cookie, in whatever order they know their backends. */
import { expect, test } from "bun:test"
import { TestBalancer, type SettingsPart } from "../support/balancer.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend, answering } from "../support/scripted-backend.ts"

const GET = "GET / HTTP/1.1\r\nHost: x\r\n"
const sticky: SettingsPart = { strategy: "sticky", sticky: { key: "correct-horse-battery" } }

/** Who answered, and the cookie that came with it. */
async function ask(balancer: TestBalancer, cookie: string | null): Promise<[string, string]> {
  const client = await RawClient.connect(balancer.port)
  const field = cookie === null ? "" : `Cookie: ${cookie}\r\n`
  const answer = await client.exchange(`${GET}${field}\r\n`)
  await client.close()
  return [answer.body.toString(), answer.field("set-cookie")?.split(";")[0] ?? ""]
}

test("a client keeps its backend when it comes to another bunlb", async () => {
  using a = await ScriptedBackend.start(answering(() => "a"))
  using b = await ScriptedBackend.start(answering(() => "b"))
  using c = await ScriptedBackend.start(answering(() => "c"))
  const first = await TestBalancer.start([a.port, b.port, c.port], sticky)
  const second = await TestBalancer.start([c.port, { port: a.port, weight: 5 }, b.port], sticky)
  const homes = new Map<string, string>()
  while (homes.size < 3) homes.set(...(await ask(first, null)))
  for (const [home, cookie] of homes) {
    for (let i = 0; i < 3; i++) expect((await ask(second, cookie))[0]).toBe(home)
  }
  const others = new Map<string, string>()
  while (others.size < 3) others.set(...(await ask(second, null)))
  expect(Object.fromEntries(others)).toEqual(Object.fromEntries(homes))
})
