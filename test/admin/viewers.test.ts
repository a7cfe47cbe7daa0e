/** Those who watch: bounded in number, one picture for all, and nobody waits for one who does not read. */
import { expect, test } from "bun:test"
import { Viewers } from "../../src/admin/viewers.ts"
import type { ViewerSource } from "../../src/admin/viewers.ts"
import type { JournalEntry } from "../../src/master/figures/journal.ts"
import { PATIENCE_MS, until } from "../support/until.ts"
import { sourceOf } from "../browser/picture.ts"
import { EventReader } from "./event-reader.ts"

const PERIOD_MS = 5

function watched() {
  const picture = sourceOf({ backends: [], journal: [] })
  const journal: JournalEntry[] = []
  let asked = 0
  const source: ViewerSource = {
    live() {
      asked++
      return picture.live()
    },
    past: () => ({ moments: [], journal }),
  }
  const tell = (text: string): void => {
    journal.push({ id: journal.length + 1, at: 0, kind: "note", text })
  }
  const viewers = new Viewers(source, PERIOD_MS)
  return { viewers, tell, asked: () => asked, [Symbol.dispose]: () => viewers.stop() }
}

function reader(viewers: Viewers): EventReader {
  return new EventReader({ body: viewers.open() })
}

/** Texts of the journal in the next event of that name. */
async function news(viewer: EventReader, wanted: string): Promise<string[]> {
  for (;;) {
    const [name, data] = (await viewer.next()) ?? ["end", { journal: [] }]
    if (name === wanted || name === "end") {
      return (data as { journal: JournalEntry[] }).journal.map(({ text }) => text)
    }
  }
}

test("what was comes first, then what happens, once", async () => {
  using fleet = watched()
  fleet.tell("before")
  const viewer = reader(fleet.viewers)
  expect(await news(viewer, "past")).toEqual(["before"])
  expect(await news(viewer, "live")).toEqual([])
  fleet.tell("now")
  const seen: string[] = []
  while (!seen.includes("now")) seen.push(...(await news(viewer, "live")))
  for (let i = 0; i < 3; i++) seen.push(...(await news(viewer, "live")))
  expect(seen.filter((text) => text === "now")).toHaveLength(1)
  await viewer.leave()
})

test("there is room for 16, and a place that is left is free again", async () => {
  using fleet = watched()
  const all = Array.from({ length: 16 }, () => reader(fleet.viewers))
  expect(fleet.viewers.open()).toBeNull()
  await all[3]?.leave()
  expect(fleet.viewers.count).toBe(15)
  expect(fleet.viewers.open()).not.toBeNull()
})

test("one picture serves all, and nobody's is not made", async () => {
  using fleet = watched()
  await Bun.sleep(4 * PERIOD_MS)
  expect(fleet.asked()).toBe(0)
  const [one, two] = [reader(fleet.viewers), reader(fleet.viewers)]
  const greetings = fleet.asked()
  for (let i = 0; i < 20; i++) await Promise.all([news(one, "live"), news(two, "live")])
  expect(fleet.asked() - greetings).toBeLessThan(30)
  await Promise.all([one.leave(), two.leave()])
  const asked = fleet.asked()
  await Bun.sleep(4 * PERIOD_MS)
  expect(fleet.asked()).toBe(asked)
})

test("who does not read gets no more, misses nothing when it reads again, and is shown out in the end", async () => {
  using fleet = watched()
  const lazy = reader(fleet.viewers)
  const quick = reader(fleet.viewers)
  await news(quick, "past")
  for (let i = 0; i < 8; i++) await news(quick, "live")
  fleet.tell("meanwhile")
  for (let i = 0; i < 8; i++) await news(quick, "live")
  expect(await news(lazy, "past")).toEqual([])
  expect(await news(lazy, "past")).toEqual(["meanwhile"])
  const sleeper = fleet.viewers.open()
  expect(fleet.viewers.count).toBe(3)
  const leaving = (async () => {
    while (fleet.viewers.count > 1) await news(quick, "live")
  })()
  await until(() => fleet.viewers.count === 1, PATIENCE_MS, "the sleeper's leave")
  await leaving
  expect(sleeper?.getReader().closed).rejects.toThrow("does not read")
})

test("over a real socket too: a viewer that never reads is let go, the others do not wait", async () => {
  const picture = sourceOf({ backends: [], journal: [] })
  // Large enough to fill what the kernel holds for one who does not read.
  const noise = { id: 1, at: 0, kind: "note", text: "x".repeat(1_000_000) } as const
  let asked = 0
  const viewers = new Viewers(
    {
      live: picture.live,
      past: () => ({ moments: [], journal: [{ ...noise, id: ++asked }] }),
    },
    PERIOD_MS,
  )
  const server = Bun.serve({
    ...{ hostname: "127.0.0.1", port: 0, fetch: () => new Response(viewers.open()) },
  })
  const sleeper = await Bun.connect({
    hostname: "127.0.0.1",
    port: server.port ?? 0,
    socket: {
      open(socket) {
        socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        socket.pause()
      },
      data() {},
    },
  })
  await until(() => viewers.count === 1, PATIENCE_MS, "the sleeper")
  const quick = new EventReader(await fetch(`http://127.0.0.1:${server.port}/`))
  for (let i = 0; i < 10; i++) await quick.next()
  await until(
    () => quick.next().then(() => viewers.count === 1),
    PATIENCE_MS,
    "the sleeper's leave",
  )
  sleeper.terminate()
  await quick.leave()
  await until(() => viewers.count === 0, PATIENCE_MS, "an empty room")
  viewers.stop()
  await server.stop(true)
})
