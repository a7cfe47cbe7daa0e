/** Two families as one answer, over questions that the test answers by hand and a clock that it moves. */
import { expect } from "bun:test"
import { Families, type Family, KEEP_MS } from "../../../src/net/names/families.ts"
import type { DnsRecord } from "../../../src/net/names/dns-message.ts"
import { DnsFault } from "../../../src/net/names/dns-server.ts"
import { sideBySide } from "../../support/side-by-side.ts"

const test = sideBySide()

const record = (data: string, ttl = 30): DnsRecord => {
  return { data, ttl, port: 0, priority: 0, weight: 0 }
}

/** `four` and `six` say what comes: addresses, the code of a fault, or a promise of either. */
function answering() {
  const clock = { time: 0 }
  const families = new Families(() => clock.time)
  type Said = readonly string[] | string
  const zone: Record<Family, Said | Promise<Said>> = { 4: [], 6: [] }
  const ask = async (family: Family): Promise<readonly DnsRecord[]> => {
    const said = await zone[family]
    if (typeof said === "string") throw new DnsFault(said)
    if (said.length === 0) throw new DnsFault("ENODATA")
    return said.map((data) => record(data))
  }
  const told = async (): Promise<string> => {
    try {
      const answers = await families.addresses("web", [4, 6], ask)
      return answers.map(({ address, ttl }) => `${address}/${ttl}`).join(" ")
    } catch (error) {
      return error instanceof DnsFault ? error.code : String(error)
    }
  }
  return { clock, zone, told }
}

test("whole answers count for their own TTL, and an empty half is whole", async () => {
  const { zone, told } = answering()
  zone[4] = ["a"]
  expect(await told()).toBe("a/30")
  zone[6] = ["b"]
  expect(await told()).toBe("a/30 b/30")
  zone[4] = []
  expect(await told()).toBe("b/30")
})

test("a family that fails keeps its last good addresses for a while, and is asked again soon", async () => {
  const { clock, zone, told } = answering()
  zone[4] = ["a"]
  zone[6] = ["b"]
  await told()
  zone[6] = "ESERVFAIL"
  zone[4] = ["c"]
  clock.time = KEEP_MS - 1
  expect(await told()).toBe("c/5 b/5")
  clock.time = KEEP_MS
  expect(await told()).toBe("c/5")
  zone[6] = []
  expect(await told()).toBe("c/30")
})

test("a family that says that it has nothing keeps nothing", async () => {
  const { zone, told } = answering()
  zone[4] = ["a"]
  zone[6] = ["b"]
  await told()
  zone[6] = []
  await told()
  zone[6] = "ETIMEOUT"
  expect(await told()).toBe("a/5")
})

test("a late half is not waited for, and counts at the next look-up", async () => {
  const { zone, told } = answering()
  const late = Promise.withResolvers<readonly string[]>()
  zone[4] = ["a"]
  zone[6] = late.promise
  expect(await told()).toBe("a/1")
  late.resolve(["b"])
  await late.promise
  expect(await told()).toBe("a/30 b/30")
})

test("a half that is late each time costs little time", async () => {
  const { zone, told } = answering()
  const late = Promise.withResolvers<string>()
  zone[4] = ["a"]
  zone[6] = late.promise
  await told()
  late.resolve("ETIMEOUT")
  await told()
  zone[6] = new Promise(() => {})
  const began = performance.now()
  expect(await told()).toBe("a/5")
  expect(performance.now() - began).toBeLessThan(400)
})

test.each([[[]], ["ENOTFOUND"]] as const)(
  "when one half is %p, the other one is not waited for until it gives up",
  async (nothing) => {
    const { zone, told } = answering()
    const late = Promise.withResolvers<string>()
    zone[4] = nothing
    zone[6] = late.promise
    const first = performance.now()
    expect(await told()).toBe("ETIMEOUT")
    expect(performance.now() - first).toBeGreaterThan(1_000)
    late.resolve("ETIMEOUT")
    await told()
    zone[6] = new Promise(() => {})
    const second = performance.now()
    expect(await told()).toBe("ETIMEOUT")
    expect(performance.now() - second).toBeLessThan(1_500)
    zone[6] = ["b"]
    expect(await told()).toBe("b/30")
  },
)

test.each([
  ["ENOTFOUND", "ENOTFOUND", "ENOTFOUND"],
  ["ENOTFOUND", "ENODATA", "ENODATA"],
  ["ENODATA", "ESERVFAIL", "ESERVFAIL"],
  ["ETIMEOUT", "ENODATA", "ETIMEOUT"],
])("%s and %s together are %s", async (four, six, expected) => {
  const { zone, told } = answering()
  zone[4] = four
  zone[6] = six
  expect(await told()).toBe(expected)
})
