/** Several pools behind several listeners, through reloads under load: what a change does not touch goes on. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, expect, setDefaultTimeout, test } from "bun:test"
import { RawClient } from "../support/raw-client.ts"
import { refusedPort } from "../support/refused-port.ts"
import { PATIENCE_MS, until } from "../support/until.ts"
import { Load } from "./load.ts"
import { RunningBunlb } from "./running-bunlb.ts"

setDefaultTimeout(60_000)

const folder = mkdtempSync(join(tmpdir(), "bunlb-pools-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Answers with its name; `/health` as it is told. */
function serve(name: string) {
  let healthy = true
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request, self) {
      const { pathname } = new URL(request.url)
      if (pathname === "/tunnel" && self.upgrade(request)) return undefined
      if (pathname === "/health") return new Response("", { status: healthy ? 200 : 500 })
      return new Response(name, { headers: { "x-backend": name } })
    },
    websocket: { message: (socket, text) => void socket.send(text) },
  })
  return {
    address: `127.0.0.1:${server.port}`,
    set healthy(is: boolean) {
      healthy = is
    },
    [Symbol.asyncDispose]: () => server.stop(true),
  }
}

async function running(name: string, config: object) {
  const file = join(folder, `${name}.json`)
  const common = { admin: "127.0.0.1:0", workers: 2, pin: false }
  const write = (more: object): void => writeFileSync(file, JSON.stringify({ ...common, ...more }))
  write(config)
  const bunlb = await RunningBunlb.fromFile(file)
  const reload = async (more: object): Promise<string> => {
    write(more)
    const url = `http://127.0.0.1:${bunlb.adminPort}/api/v1/reload`
    return await (await fetch(url, { method: "POST" })).text()
  }
  return { bunlb, reload, [Symbol.asyncDispose]: () => bunlb[Symbol.asyncDispose]() }
}

async function ask(port: number): Promise<string> {
  const client = await RawClient.connect(port)
  const { body } = await client.exchange("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
  await client.close()
  return body.toString()
}

async function tunnelTo(port: number) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/tunnel`)
  const echoed: unknown[] = []
  socket.onmessage = ({ data }) => void echoed.push(data)
  await until(() => socket.readyState === WebSocket.OPEN, PATIENCE_MS, "the tunnel")
  return async (text: string): Promise<void> => {
    socket.send(text)
    await until(() => echoed.includes(text) || socket.readyState > 1, PATIENCE_MS, "the echo")
    expect(echoed).toContain(text)
  }
}

test("pools come, change and go under load: no request is lost, no tunnel of theirs is cut", async () => {
  await using a = serve("a")
  await using b = serve("b")
  await using c = serve("c")
  const [web, api] = [refusedPort(), refusedPort()]
  const listeners = {
    web: { address: `127.0.0.1:${web}`, pool: "web" },
    api: { address: `127.0.0.1:${api}`, pool: "api" },
  }
  const pools = { web: [a.address], api: [b.address] }
  await using server = await running("reloads", { listeners, pools })
  const { bunlb, reload } = server
  expect([await ask(web), await ask(api)]).toEqual(["a", "b"])
  const [ofWeb, ofApi] = [await tunnelTo(web), await tunnelTo(api)]
  const loads = [web, api].map((port) => new Load(port, { clients: 4, pause: 1 }))
  const [onWeb, onApi] = loads as [Load, Load]
  const more = async (load: Load, backend: string): Promise<void> => {
    const before = load.from(backend)
    await until(() => load.from(backend) > before + 20, PATIENCE_MS, `answers of ${backend}`)
  }
  await more(onWeb, "a")
  await more(onApi, "b")

  // Other backends in one pool.
  await reload({ listeners, pools: { ...pools, web: [a.address, c.address] } })
  await more(onWeb, "c")
  // A new pool takes over a listener, and the one that it had goes.
  const turned = { ...listeners, web: { ...listeners.web, pool: "new" } }
  await reload({ listeners: turned, pools: { api: [b.address], new: [c.address] } })
  const last = onWeb.from("a")
  await more(onWeb, "c")
  // One answer of each client was on its way.
  expect(onWeb.from("a")).toBeLessThanOrEqual(last + 4)
  await ofWeb("its pool has gone")
  await ofApi("nothing has changed")
  // It comes back, with a listener that is new.
  const early = refusedPort()
  const named = { ...listeners, early: { address: `127.0.0.1:${early}`, pool: "early" } }
  await reload({ listeners: named, pools: { ...pools, early: [c.address] } })
  expect(await ask(early)).toBe("c")
  await more(onWeb, "a")
  // A listener goes, and its pool with it.
  await reload({ listeners, pools })
  await until(async () => (await bunlb.status()).backends.length === 2, PATIENCE_MS, "two backends")
  const names = (await bunlb.status()).backends.map(({ name }) => name)
  expect(names.toSorted()).toEqual([`api/${b.address}`, `web/${a.address}`])
  for (const load of loads) await load.stop()
  expect(loads.flatMap(({ failures, refused }) => [...failures, refused])).toEqual([0, 0])
  expect(onApi.from("a") + onApi.from("c") + onWeb.from("b")).toBe(0)
  await ofWeb("still there")
  await ofApi("still there")
})

test("one address in two pools has two verdicts, also in a worker that is new", async () => {
  await using a = serve("a")
  await using b = serve("b")
  const [strict, lax] = [refusedPort(), refusedPort()]
  const backends = [a.address, b.address]
  const check = { path: "/health", interval: "200ms", timeout: "100ms" }
  const config = {
    listeners: {
      strict: { address: `127.0.0.1:${strict}`, pool: "strict" },
      lax: { address: `127.0.0.1:${lax}`, pool: "lax" },
    },
    pools: {
      strict: { backends, health: check },
      lax: { backends, health: { ...check, expect: "200-599" } },
    },
  }
  await using server = await running("verdicts", config)
  const { bunlb, reload } = server
  a.healthy = false
  const states = async (): Promise<Record<string, string>> =>
    Object.fromEntries((await bunlb.status()).backends.map(({ name, state }) => [name, state]))
  const wanted = {
    [`strict/${a.address}`]: "down",
    [`strict/${b.address}`]: "up",
    [`lax/${a.address}`]: "up",
    [`lax/${b.address}`]: "up",
  }
  await until(
    async () => Bun.deepEquals(await states(), wanted),
    PATIENCE_MS,
    "the verdict of the strict pool alone",
  )
  await reload({ ...config, workers: 3 })
  expect(await states()).toEqual(wanted)
  const answers = { strict: new Set<string>(), lax: new Set<string>() }
  for (let i = 0; i < 24; i++) {
    answers.strict.add(await ask(strict))
    answers.lax.add(await ask(lax))
  }
  expect([...answers.strict]).toEqual(["b"])
  expect([...answers.lax].toSorted()).toEqual(["a", "b"])
})
