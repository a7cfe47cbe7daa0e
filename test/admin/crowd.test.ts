/** Connections to an admin port are limited: who comes last goes, whoever asks is answered. */
import { onTestFinished, expect } from "bun:test"
import { limitConnections } from "../../src/admin/crowd.ts"
import { connectionsOf } from "../../src/net/linux/syn-filter.ts"
import { startAdmin } from "../../src/admin/server.ts"
import { onLinux } from "../support/left-out.ts"
import { PATIENCE_MS, until } from "../support/until.ts"

const MOST = 5

onLinux("a limit on admin connections", "nobody tells whose a descriptor is")(
  "beyond the limit those who came last are hung up on, and a question is answered",
  async () => {
    const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("fine") })
    const port = server.port ?? 0
    const unlimit = limitConnections(() => connectionsOf(port), MOST, {
      calmMs: 20,
      busyMs: 20,
      shareOfTime: 1,
    })
    onTestFinished(async () => {
      unlimit()
      await server.stop(true)
    })
    let ended = 0
    const connect = () =>
      Bun.connect({
        hostname: "127.0.0.1",
        port,
        socket: { data() {}, close: () => void ended++ },
      })
    for (let i = 0; i < MOST + 7; i++) await connect()
    await until(() => ended === 7, PATIENCE_MS, "the surplus to be gone")
    const late = await connect()
    await until(() => ended === 8, PATIENCE_MS, "the newcomer to be gone")
    expect(late.readyState).toBeLessThan(1)
    // Even so there is time for a short question.
    const answer = await fetch(`http://127.0.0.1:${port}/`, { keepalive: false })
    expect(await answer.text()).toBe("fine")
    expect(ended).toBe(8)
  },
)

onLinux("the limit of a listener that has left", "there is none elsewhere")(
  "whoever comes to the port after it is not counted",
  async () => {
    const source = { status: () => ({}), metrics: () => "", health: () => ({ ok: true }) }
    const admin = await startAdmin({ host: "127.0.0.1", port: 0 }, source as never)
    const { port } = admin
    if (port === null) throw new Error("it has a port")
    admin.retire()
    const dial = { hostname: "127.0.0.1", port, socket: { data() {} } }
    const isFree = (): Promise<boolean> =>
      Bun.connect(dial).then(
        (socket) => {
          socket.end()
          return false
        },
        () => true,
      )
    await until(isFree, PATIENCE_MS, "the port to be free")
    const taken = Array.from({ length: 260 }, () => ({ ended: false }))
    const server = Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } })
    await Promise.all(
      taken.map((each) =>
        Bun.connect({ ...dial, socket: { data() {}, close: () => void (each.ended = true) } }),
      ),
    )
    // It would look once a second.
    await Bun.sleep(1_300)
    expect(taken.filter(({ ended }) => ended)).toEqual([])
    server.stop(true)
  },
)
