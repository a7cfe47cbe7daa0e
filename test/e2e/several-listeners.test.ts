/** Several listeners of all kinds: they come, move and go by a reload under load, and nothing is lost. */
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, setDefaultTimeout } from "bun:test"
import { onLinux } from "../support/left-out.ts"
import { spawnBunlb } from "../support/processes.ts"
import { RawClient } from "../support/raw-client.ts"
import { refusedPort } from "../support/refused-port.ts"
import { PATIENCE_MS, until } from "../support/until.ts"
import { Load } from "./load.ts"
import { RunningBunlb } from "./running-bunlb.ts"

setDefaultTimeout(60_000)

const test = onLinux("listeners that come while workers run", "elsewhere workers are renewed")

const folder = mkdtempSync(join(tmpdir(), "bunlb-several-"))
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  async fetch(request, self) {
    const { pathname } = new URL(request.url)
    if (pathname === "/slow") await Bun.sleep(1_000)
    if (pathname === "/tunnel" && self.upgrade(request)) return undefined
    const said = request.headers.get("x-forwarded-for") ?? "nobody"
    return new Response(said, { headers: { "x-backend": "one" } })
  },
  websocket: { message: (socket, text) => void socket.send(text) },
})
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await server.stop(true)
})

interface Addresses {
  readonly [name: string]: string | object
}

/** A file with such listeners and its bunlb; `reload` says others in it. */
async function running(name: string, listeners: Addresses, workers = 2) {
  const file = join(folder, `${name}.json`)
  const write = (more: object): void =>
    writeFileSync(
      file,
      JSON.stringify({
        ...{ admin: "127.0.0.1:0", backends: [`127.0.0.1:${server.port}`] },
        ...{ workers, pin: false, health: { interval: "1m" }, ...more },
      }),
    )
  write({ listeners })
  const bunlb = await RunningBunlb.fromFile(file)
  const reload = async (others: Addresses, more: object = {}): Promise<string> => {
    write({ listeners: others, ...more })
    const url = `http://127.0.0.1:${bunlb.adminPort}/api/v1/reload`
    return await (await fetch(url, { method: "POST" })).text()
  }
  const rewrite = (others: Addresses): void => write({ listeners: others })
  return {
    bunlb,
    reload,
    write: rewrite,
    [Symbol.asyncDispose]: () => bunlb[Symbol.asyncDispose](),
  }
}

const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
const close = { request: () => "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" }

async function ask(place: number | string, host = "127.0.0.1") {
  const client =
    typeof place === "string"
      ? await RawClient.connectTo(place)
      : await RawClient.connect(place, host)
  const { status, body } = await client.exchange(get)
  await client.close()
  return `${status} ${body.toString()}`
}

let hasV6 = true
beforeAll(() => {
  try {
    Bun.listen({ hostname: "::1", port: 0, socket: { data() {} } }).stop(true)
  } catch {
    hasV6 = false
  }
})

test("an address, all addresses of both families and a unix socket serve beside each other", async () => {
  const [one, all] = [refusedPort(), refusedPort()]
  const path = join(folder, "kinds.sock")
  await using server = await running("kinds", {
    one: `127.0.0.1:${one}`,
    all: `:${all}`,
    local: { address: `unix:${path}`, socket_mode: "0600" },
  })
  expect(await ask(one)).toBe("200 127.0.0.1")
  expect(await ask(all)).toBe("200 127.0.0.1")
  if (hasV6) expect(await ask(all, "::1")).toBe("200 ::1")
  expect(await ask(path)).toBe("200 nobody")
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(server.bunlb.process.stderr.join("\n")).toContain(
    `one http://127.0.0.1:${one}, all http://*:${all}, local unix:${path} -> 1 backend`,
  )
  server.bunlb.process.kill("SIGTERM")
  expect(await server.bunlb.process.exited()).toBe(0)
  expect(existsSync(path)).toBe(false)
})

test("listeners come, move and go under load: no request is lost, no worker is renewed", async () => {
  const [stays, moves, next] = [refusedPort(), refusedPort(), refusedPort()]
  const [path, nextPath] = [join(folder, "stays.sock"), join(folder, "comes.sock")]
  const base = { stays: `127.0.0.1:${stays}`, local: `unix:${path}` }
  await using server = await running("moves", { ...base, moves: `127.0.0.1:${moves}` })
  const { bunlb, reload } = server
  const pids = await bunlb.workerPids()
  const tunnel = new WebSocket(`ws://127.0.0.1:${stays}/tunnel`)
  const echoed: unknown[] = []
  tunnel.onmessage = ({ data }) => void echoed.push(data)
  await until(() => tunnel.readyState === WebSocket.OPEN, PATIENCE_MS, "the tunnel")
  const options = { clients: 6, pause: 1 }
  const loads = [
    new Load(stays, options),
    new Load(stays, { ...options, ...close }),
    new Load(path, options),
    new Load(path, { ...options, ...close }),
  ]
  const leaving = new Load(moves, { ...options, ...close })
  const kept = new Load(moves, options)
  const all = [...loads, leaving, kept]
  await until(() => all.every(({ ok }) => ok > 50), PATIENCE_MS, "the load")
  const slow = await RawClient.connect(moves)
  await slow.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")

  const came = await reload({
    ...base,
    moves: `127.0.0.1:${moves}`,
    comes: `unix:${nextPath}`,
  })
  expect(came).toContain("comes")
  expect(await ask(nextPath)).toBe("200 nobody")
  const moved = await reload({ ...base, moves: `127.0.0.1:${next}`, comes: `unix:${nextPath}` })
  expect(moved).toContain("moves")
  expect(await ask(next)).toBe("200 127.0.0.1")
  expect((await slow.receiveResponse()).status).toBe(200)
  await leaving.allRefused()
  await kept.allRefused()
  expect(await reload({ ...base, moves: `127.0.0.1:${next}` })).toContain("comes")
  expect(existsSync(nextPath)).toBe(false)
  await reload({ ...base, moves: `127.0.0.1:${next}`, more: `127.0.0.1:${moves}` }, { workers: 3 })
  expect(await ask(moves)).toBe("200 127.0.0.1")
  await reload(base, { workers: 1 })
  const before = loads.map(({ ok }) => ok)
  await until(() => loads.every(({ ok }, i) => ok > (before[i] ?? 0) + 50), PATIENCE_MS, "more")
  tunnel.send("still here")
  await until(() => echoed.includes("still here") || tunnel.readyState > 1, PATIENCE_MS, "the echo")
  const stayed = await bunlb.workerPids()
  expect(pids).toContain(stayed[0] ?? 0)
  await Promise.all(loads.map((load) => load.stop()))
  expect(all.flatMap(({ failures }) => failures)).toEqual([])
  expect(loads.map(({ refused }) => refused)).toEqual([0, 0, 0, 0])
  tunnel.close()
})

test("a listener that cannot be bound: the reload is refused, and the others that came with it are gone", async () => {
  const [one, two] = [refusedPort(), refusedPort()]
  const path = join(folder, "never.sock")
  await using running_ = await running("taken", { one: `127.0.0.1:${one}` })
  const { bunlb, reload } = running_
  const taken = { taken: `127.0.0.1:${server.port}` }
  const answer = await reload({
    ...{ one: `127.0.0.1:${one}`, two: `127.0.0.1:${two}`, never: `unix:${path}` },
    ...taken,
  })
  expect(answer).toContain(`port ${server.port} on 127.0.0.1 is already in use`)
  expect(existsSync(path)).toBe(false)
  await expect(RawClient.connect(two)).rejects.toThrow()
  expect(await ask(one)).toBe("200 127.0.0.1")
  expect(bunlb.process.stderr.join("\n")).toContain("not reloaded: everything stays as it was")
})

test("a worker that dies is followed by one that has every listener, those that came later too", async () => {
  const [one, two] = [refusedPort(), refusedPort()]
  const path = join(folder, "dies.sock")
  await using running_ = await running("dies", { one: `127.0.0.1:${one}` }, 1)
  const { bunlb, reload } = running_
  await reload({ one: `127.0.0.1:${one}`, two: `127.0.0.1:${two}`, local: `unix:${path}` })
  const [pid = 0] = await bunlb.workerPids()
  process.kill(pid, "SIGKILL")
  expect(await ask(one)).toBe("200 127.0.0.1")
  expect(await ask(two)).toBe("200 127.0.0.1")
  expect(await ask(path)).toBe("200 nobody")
  expect(await bunlb.workerPids()).not.toEqual([pid])
})

test("a socket file that a dead bunlb left behind is replaced, one in use is not", async () => {
  const path = join(folder, "left.sock")
  const listeners = { local: `unix:${path}` }
  {
    await using first = await running("left", listeners, 1)
    first.bunlb.process.kill("SIGKILL")
    await first.bunlb.process.exited()
  }
  expect(existsSync(path)).toBe(true)
  await using second = await running("left", listeners, 1)
  expect(await ask(path)).toBe("200 nobody")
  await expect(running("left-too", listeners, 1)).rejects.toThrow(/already in use/)
  expect(await ask(path)).toBe("200 nobody")
  expect(second.bunlb.process.stderr.join("\n")).not.toContain("ERROR")
})

test("an upgrade hands all of them over, whatever else the settings then ask for, and nothing is lost", async () => {
  const [one, two, three] = [refusedPort(), refusedPort(), refusedPort()]
  const path = join(folder, "upgraded.sock")
  const base = { one: `127.0.0.1:${one}`, local: `unix:${path}` }
  await using running_ = await running("upgraded", { ...base, two: `:${two}` })
  const { bunlb } = running_
  const options = { clients: 5, pause: 1 }
  const loads = [one, path].flatMap((place) => [
    new Load(place, options),
    new Load(place, { ...options, ...close }),
  ])
  const moved = new Load(two, { ...options, ...close })
  await until(() => [...loads, moved].every(({ ok }) => ok > 50), PATIENCE_MS, "the load")
  // Other names, another order, one gone and one more: what counts is the address.
  running_.write({ local: `unix:${path}`, first: base.one, three: `127.0.0.1:${three}` })
  await bunlb.upgrade()
  expect(await ask(three)).toBe("200 127.0.0.1")
  await moved.allRefused()
  await bunlb.upgrade()
  const before = loads.map(({ ok }) => ok)
  await until(() => loads.every(({ ok }, i) => ok > (before[i] ?? 0) + 50), PATIENCE_MS, "more")
  await Promise.all(loads.map((load) => load.stop()))
  expect([...loads, moved].flatMap(({ failures }) => failures)).toEqual([])
  expect(loads.map(({ refused }) => refused)).toEqual([0, 0, 0, 0])
  expect(existsSync(path)).toBe(true)
})

test("the end serves the clients of all of them that have connected, and then refuses", async () => {
  const port = refusedPort()
  const path = join(folder, "ends.sock")
  await using running_ = await running("ends", { web: `127.0.0.1:${port}`, local: `unix:${path}` })
  const options = { clients: 8, pause: 0 }
  const loads = [port, path].flatMap((place) => [
    new Load(place, options),
    new Load(place, { ...options, ...close }),
  ])
  await until(() => loads.every(({ ok }) => ok > 100), PATIENCE_MS, "the load")
  running_.bunlb.process.kill("SIGTERM")
  await Promise.all(loads.map((load) => load.allRefused()))
  expect(loads.flatMap(({ failures }) => failures)).toEqual([])
  expect(await running_.bunlb.process.exited()).toBe(0)
  expect(running_.bunlb.process.stderr.join("\n")).toContain("drained; nothing was cut")
})

test("status, metrics and the table tell of each", async () => {
  const port = refusedPort()
  const path = join(folder, "told.sock")
  await using running_ = await running("told", {
    default: `127.0.0.1:${port}`,
    local: `unix:${path}`,
  })
  const { bunlb } = running_
  const [web, local] = [await RawClient.connect(port), await RawClient.connectTo(path)]
  for (const client of [web, local, local]) {
    expect((await client.exchange(get)).status).toBe(200)
  }
  expect(await ask(path)).toBe("200 nobody")
  const { listeners, port: first } = await bunlb.status()
  expect(first).toBe(port)
  expect(listeners).toEqual([
    { name: "default", address: `127.0.0.1:${port}`, port, pool: "default", clients: 1 },
    { name: "local", address: `unix:${path}`, port: null, pool: "default", clients: 1 },
  ])
  const accepted = "bunlb_client_connections_total"
  expect(await bunlb.figure(accepted, 'listener="local"')).toBe(2)
  expect(await bunlb.figure(accepted)).toBe(3)
  await using command = spawnBunlb(["status", "--admin", `127.0.0.1:${bunlb.adminPort}`])
  expect(await command.exited()).toBe(0)
  const table = command.stdout.join("\n")
  expect(table).toContain(", 2 listeners, up ")
  expect(table).toMatch(new RegExp(`local +unix:${path} +- +default +1\n`))
  await Promise.all([web.close(), local.close()])
})
