/**
 * Backends found through DNS, with a real name server (Debian's dnsmasq) whose answers change under load: who is new
 * serves within a TTL, who is gone ends what it has, and no request fails.
 */
import { expect, test } from "bun:test"
import { isLeftOut, isLinux } from "../support/left-out.ts"
import { spawnBunlb } from "../support/processes.ts"
import { RawClient } from "../support/raw-client.ts"
import { NameServer, hasNameServer } from "../support/name-server.ts"
import { ScriptedBackend, answer } from "../support/scripted-backend.ts"
import { PATIENCE_MS, until } from "../support/until.ts"
import { Load } from "./load.ts"
import { RunningBunlb } from "./running-bunlb.ts"

const noNames = isLeftOut(
  "names",
  hasNameServer,
  "dnsmasq is not installed, nobody answers for them",
)
const noPlaces = isLeftOut("backends at 127.0.0.2", isLinux, "it is no address there")
const dnsTest = noNames || noPlaces ? test.skip : test

const LIMIT_MS = 30_000
const TTL_MS = 1_000
/** For a lookup, the word to the workers, and a busy machine. */
const GRACE_MS = 1_500

/** Says its name, except that the answer to /slow waits for `release`. */
async function backendAt(host: string, port = 0) {
  const release = Promise.withResolvers<void>()
  const slow = Promise.withResolvers<void>()
  const backend = await ScriptedBackend.start(
    async (connection) => {
      for (;;) {
        const { target } = await connection.receiveRequest()
        if (target === "/slow") {
          slow.resolve()
          await release.promise
        }
        void connection.send(answer(200, host, `X-Backend: ${host}`))
      }
    },
    { host, port },
  )
  const [port_, stop] = [backend.port, () => backend.stop()] as const
  return { port: port_, backend, release, slow, [Symbol.dispose]: stop }
}

async function bunlbBy(names: NameServer, ...flags: readonly string[]): Promise<RunningBunlb> {
  return await RunningBunlb.start([], ["-w", "2", "--dns-servers", names.address, ...flags])
}

const memberNames = async (bunlb: RunningBunlb): Promise<string[]> =>
  (await bunlb.status()).backends.map(({ name }) => name)

dnsTest(
  "an answer that changes: the new serve within a TTL, the gone drain, no request fails",
  async () => {
    using two = await backendAt("127.0.0.2")
    const { port } = two
    using three = await backendAt("127.0.0.3", port)
    using four = await backendAt("127.0.0.4", port)
    expect([three.port, four.port]).toEqual([port, port])
    await using names = await NameServer.start(1, { "web.test": ["127.0.0.2", "127.0.0.3"] })
    await using bunlb = await bunlbBy(names, "-b", `dns+http://web.test:${port}`, "-s", "sticky")
    expect(await memberNames(bunlb)).toEqual([`127.0.0.2:${port}`, `127.0.0.3:${port}`])
    const load = new Load(bunlb.port, { clients: 4, pause: 5 })
    await until(() => load.from("127.0.0.2") > 9 && load.from("127.0.0.3") > 9, LIMIT_MS, "both")

    const client = await RawClient.connect(bunlb.port)
    const cookie = await stickTo(client, "127.0.0.2")
    const inFlight = await RawClient.connect(bunlb.port)
    void inFlight.send(`GET /slow HTTP/1.1\r\nHost: x\r\nCookie: ${cookie}\r\n\r\n`)
    await two.slow.promise

    const changed = performance.now()
    names.say({ "web.test": ["127.0.0.3", "127.0.0.4"] })
    await until(() => load.from("127.0.0.4") > 0, PATIENCE_MS, "the new backend to serve")
    expect(performance.now() - changed).toBeLessThan(TTL_MS + GRACE_MS)
    // Both workers have followed when each has nothing but its slow request left there.
    const left = async (): Promise<boolean> => {
      const gone = (await bunlb.status()).backends.find(({ name }) => name === `127.0.0.2:${port}`)
      return gone?.state === "draining" && gone.active === 1
    }
    await until(left, PATIENCE_MS, "the gone backend to have one request left")
    const before = load.from("127.0.0.2")
    const enough = load.ok + 40
    await until(() => load.ok > enough, PATIENCE_MS, "forty more answers")
    expect(load.from("127.0.0.2")).toBe(before)
    const moved = await client.exchange(`GET / HTTP/1.1\r\nHost: x\r\nCookie: ${cookie}\r\n\r\n`)
    expect(moved.field("x-backend")).not.toBe("127.0.0.2")
    expect(moved.field("set-cookie")).toStartWith("bunlb=")
    two.release.resolve()
    expect((await inFlight.receiveResponse()).body.toString()).toBe("127.0.0.2")
    await until(async () => (await memberNames(bunlb)).length === 2, PATIENCE_MS, "it to be gone")
    const name = `name="dns+http://web.test:${port}"`
    expect(await bunlb.figure("bunlb_discovery_members", name)).toBe(2)
    expect(await bunlb.figure("bunlb_backend_up", `backend="127.0.0.2:${port}"`)).toBe(0)

    // Nothing at all is not believed.
    names.say({})
    const stale = async () => (await bunlb.figure("bunlb_discovery_stale", name)) === 1
    await until(stale, PATIENCE_MS, "the figure")
    await bunlb.process.line(/WARN .* does not resolve \(ENOTFOUND\): keeping 2 backends/)
    expect((await bunlb.status()).discovered?.[0]?.members).toHaveLength(2)
    const more = load.ok + 20
    await until(() => load.ok > more, PATIENCE_MS, "answers without DNS")

    // Who takes over is told what the one before was told.
    await bunlb.upgrade()
    expect(await memberNames(bunlb)).toHaveLength(2)
    const last = load.ok + 20
    await until(() => load.ok > last, PATIENCE_MS, "answers of the one that follows")
    await load.stop()
    expect(load.failures).toEqual([])
  },
  LIMIT_MS,
)

/** The cookie that names the backend; asks without one until it is that one's turn. */
async function stickTo(client: RawClient, backend: string): Promise<string> {
  for (let turn = 0; turn < 20; turn++) {
    const response = await client.exchange("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    if (response.field("x-backend") === backend) {
      return response.field("set-cookie")?.split(";")[0] ?? ""
    }
  }
  throw new Error(`never ${backend}`)
}

dnsTest(
  "SRV records: ports, weights, backups, and other records",
  async () => {
    using heavy = await backendAt("127.0.0.2")
    using light = await backendAt("127.0.0.3")
    using backup = await backendAt("127.0.0.4")
    const service = "_http._tcp.web.test"
    const records = [
      `${service},heavy.test,${heavy.port},0,30`,
      `${service},light.test,${light.port},0,10`,
      `${service},backup.test,${backup.port},5,10`,
    ]
    await using names = await NameServer.start(
      1,
      { "heavy.test": ["127.0.0.2"], "light.test": ["127.0.0.3"], "backup.test": ["127.0.0.4"] },
      records,
    )
    const flags = ["-b", `srv+http://${service}`, "-s", "weighted", "-m", "sp"]
    await using bunlb = await bunlbBy(names, ...flags)
    const rows = (await bunlb.status()).backends
    expect(rows.map(({ name, weight, backup, of }) => [name, weight, backup, of])).toEqual([
      [`127.0.0.2:${heavy.port}`, 30, false, `srv+http://${service}`],
      [`127.0.0.3:${light.port}`, 10, false, `srv+http://${service}`],
      [`127.0.0.4:${backup.port}`, 10, true, `srv+http://${service}`],
    ])
    const client = await RawClient.connect(bunlb.port)
    const ask = async (count: number): Promise<Record<string, number>> => {
      const seen: Record<string, number> = {}
      for (let i = 0; i < count; i++) {
        const { body } = await client.exchange("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        seen[body.toString()] = (seen[body.toString()] ?? 0) + 1
      }
      return seen
    }
    expect(await ask(40)).toEqual({ "127.0.0.2": 30, "127.0.0.3": 10 })
    const path = `/api/v1/backends/${encodeURIComponent(`srv+http://${service}`)}/weight`
    const weighing = await fetch(`http://127.0.0.1:${bunlb.adminPort}${path}`, {
      method: "POST",
      body: '{"weight":5}',
    })
    expect([weighing.status, await weighing.text()]).toEqual([
      400,
      expect.stringContaining("has the weights of its SRV records"),
    ])
    await names.serve(records.slice(2))
    const one = async (): Promise<boolean> => (await memberNames(bunlb)).length === 1
    await until(one, TTL_MS + PATIENCE_MS, "the records to be followed")
    expect(await ask(4)).toEqual({ "127.0.0.4": 4 })
    const words = ["drain", `srv+http://${service}`, "--wait", "--admin"]
    await using drain = spawnBunlb([...words, `127.0.0.1:${bunlb.adminPort}`])
    expect([await drain.exited(), drain.stdout.at(-1)]).toEqual([
      0,
      "drained: nothing is in flight",
    ])
    expect((await bunlb.status()).backends.map(({ state }) => state)).toEqual(["draining"])
  },
  LIMIT_MS,
)

dnsTest(
  "with DNS silent at the start it answers 503, and serves as soon as there is an answer",
  async () => {
    using two = await backendAt("127.0.0.2")
    await using names = await NameServer.start(1, { "web.test": ["127.0.0.2"] })
    await names.silence()
    await using bunlb = await bunlbBy(names, "-b", `dns+http://web.test:${two.port}`)
    const ask = async (): Promise<number> => (await fetch(`http://127.0.0.1:${bunlb.port}/`)).status
    expect(await ask()).toBe(503)
    const ready = await fetch(`http://127.0.0.1:${bunlb.adminPort}/health/ready`)
    expect([ready.status, await ready.text()]).toEqual([503, "no backend is known yet\n"])
    await names.serve()
    await until(async () => (await ask()) === 200, 2 * PATIENCE_MS, "an answer")
    expect(bunlb.process.lines.join("\n")).toContain("no backend, trying on")
  },
  LIMIT_MS,
)
