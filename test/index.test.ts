/** bunlb as another project's tests use it: by its package name, and as docs/testing.md shows. */
import { afterAll, expect, test } from "bun:test"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { startBackend, startBalancer } from "../src/index.ts"
import { root } from "./support/source.ts"

const folder = mkdtempSync(join(tmpdir(), "bunlb-project-"))
afterAll(() => rmSync(folder, { recursive: true }))

test("the example of docs/testing.md passes in another project", () => {
  const [, example = ""] =
    /```ts\n([^]*?)```/.exec(readFileSync(join(root, "docs", "testing.md"), "utf8")) ?? []
  expect(example).toContain('from "bunlb"')
  mkdirSync(join(folder, "node_modules"))
  symlinkSync(root, join(folder, "node_modules", "bunlb"))
  writeFileSync(join(folder, "package.json"), "{}")
  writeFileSync(join(folder, "example.test.ts"), example)
  const run = Bun.spawnSync([process.execPath, "test"], { cwd: folder, stderr: "pipe" })
  expect(run.stderr.toString()).toContain(" 1 pass\n 0 fail\n")
  expect(run.exitCode).toBe(0)
})

test("a backend that was stopped comes back at its port, and others may take over meanwhile", async () => {
  const first = await startBackend({ name: "first" })
  using second = await startBackend({ name: "second" })
  await using balancer = await startBalancer({ backends: [first.address] })
  const ask = async (): Promise<string> => await (await fetch(balancer.url)).text()
  expect(await ask()).toBe("first says hello\n")
  first.stop()
  expect((await fetch(balancer.url)).status).toBe(502)
  await balancer.apply({ backends: [second.address] })
  expect(await ask()).toBe("second says hello\n")
  using again = await startBackend({ name: "again", port: first.port })
  await balancer.apply({ backends: [again.address] })
  expect(await ask()).toBe("again says hello\n")
})

test("several listeners and pools, each with settings of its own", async () => {
  using one = await startBackend({ name: "one" })
  using two = await startBackend({ name: "two" })
  await using balancer = await startBalancer({
    backends: [one.address],
    pools: { api: { backends: [two.address], host_header: "api.example.com" } },
    listeners: { web: "127.0.0.1:0", api: { address: "127.0.0.1:0", pool: "api" } },
    health: { type: "none" },
  })
  const { web = "", api = "" } = balancer.urls
  const ask = async (url: string): Promise<string> => await (await fetch(url)).text()
  expect([balancer.url, `http://127.0.0.1:${balancer.port}`]).toEqual([web, web])
  expect(await ask(web)).toBe("one says hello\n")
  expect(await ask(api)).toBe("two says hello\n")
  expect(await ask(`${api}/echo`)).toContain("api.example.com")
  await balancer.apply({ backends: [two.address], pools: { api: [one.address] } })
  expect([await ask(web), await ask(api)]).toEqual(["two says hello\n", "one says hello\n"])
  const other = balancer.apply({ backends: [one.address], listeners: { more: ":0" } })
  expect(other).rejects.toThrow("listener more=:0: only the whole program opens listeners")
})

test("faults are injected: failing, slow, behind TLS", async () => {
  using failing = await startBackend({ failRate: 0.5, status: 503 })
  await using one = await startBalancer({
    backends: [failing.address],
    health: { type: "none" },
  })
  const codes = [await fetch(one.url), await fetch(one.url)].map(({ status }) => status)
  expect(codes).toEqual([200, 503])
  using slow = await startBackend({ delay: 5_000, tls: true })
  await using two = await startBalancer({
    backends: [slow.address],
    insecure: true,
    health: { type: "none" },
    timeouts: { response_head: "200ms" },
  })
  expect((await fetch(two.url)).status).toBe(504)
})

test("it drains, and tells of health in its lines", async () => {
  using backend = await startBackend()
  const balancer = await startBalancer({ backends: [backend.address], health: { type: "none" } })
  const slow = fetch(`${balancer.url}/delay/200`)
  expect((await fetch(balancer.url)).status).toBe(200)
  expect(await balancer.drain(2_000)).toBe(0)
  expect(await (await slow).text()).toBe("backend waited 200 ms\n")
  expect(() => balancer.stop()).not.toThrow()
  await using lonely = await startBalancer({ backends: ["127.0.0.1:1"], health: { type: "none" } })
  for (let turn = 0; turn < 3; turn++) expect((await fetch(lonely.url)).ok).toBe(false)
  expect(lonely.lines.join("\n")).toContain("backend 127.0.0.1:1 is unhealthy")
})

test("what makes no sense is refused with its place", async () => {
  const misspelt = { backends: ["127.0.0.1:1"], helth: {} }
  await expect(startBalancer(misspelt)).rejects.toThrow(
    /startBalancer.*helth.*did you mean "health"/,
  )
  const nested = { backends: ["127.0.0.1:1"], health: { path: "/", pth: "/" } }
  await expect(startBalancer(nested)).rejects.toThrow(/health\.pth: unknown key.*"path"/)
  const empty = "config: startBalancer: no backend, add one: backends: "
  await expect(startBalancer({ backends: [] })).rejects.toThrow(empty)
  await using balancer = await startBalancer({ backends: ["127.0.0.1:1"] })
  await expect(balancer.apply({ backends: [] })).rejects.toThrow(empty)
  const discovering = startBalancer({ backends: ["dns+http://web:80"] })
  await expect(discovering).rejects.toThrow("startBalancer: dns+http://web:80: only the whole")
})

test("sticky cookies are made with a key of their own, which apply keeps", async () => {
  using one = await startBackend({ name: "one" })
  const options = { backends: [one.address], strategy: "sticky" } as const
  await using first = await startBalancer(options)
  await using second = await startBalancer(options)
  const cookieOf = async ({ url }: { url: string }): Promise<string | null> =>
    (await fetch(url)).headers.get("set-cookie")
  const before = await cookieOf(first)
  expect(before).toContain("bunlb=")
  expect(await cookieOf(second)).not.toBe(before)
  await first.apply(options)
  expect(await cookieOf(first)).toBe(before)
  const sticky = { key: "a-key-for-two-balancers" }
  await first.apply({ ...options, sticky })
  await second.apply({ ...options, sticky })
  expect(await cookieOf(first)).toBe(await cookieOf(second))
})
