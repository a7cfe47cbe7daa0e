/** Names looked up at a real server that says what a test wants, by the system's files and by `dns.servers`. */
import { afterAll, describe, expect } from "bun:test"
import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { MOST_ADDRESSES, isNothing, nameService } from "../../../src/net/names/name-service.ts"
import { reasonOf } from "../../../src/net/names/resolver.ts"
import { onLinux } from "../../support/left-out.ts"
import { sideBySide } from "../../support/side-by-side.ts"
import { type Question, type Scripted, ScriptedNames } from "../../support/scripted-names.ts"
import { until } from "../../support/until.ts"

const test = sideBySide()

const folders: string[] = []
afterAll(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

const a = (...ips: readonly string[]): Scripted => ips.map((data) => ({ type: "A", data }))
const aaaa = (...ips: readonly string[]): Scripted => ips.map((data) => ({ type: "AAAA", data }))

/** Both ways to look names up at a server whose answers are `zone`'s, which a test may change. */
async function lookingUp(zone: { A: Scripted; AAAA: Scripted }) {
  const server = await ScriptedNames.start(({ type }) => (type === "A" ? zone.A : zone.AAAA))
  return { server, zone }
}

/** The system's files in a folder of their own. */
function systemFiles(server: { readonly port: number }) {
  const folder = mkdtempSync(join(tmpdir(), "bunlb-system-"))
  folders.push(folder)
  const path = (name: string): string => join(folder, name)
  const write = (name: string, text: string): void => {
    writeFileSync(path("fresh"), text)
    renameSync(path("fresh"), path(name))
  }
  write("resolv.conf", "nameserver 127.0.0.1\n")
  const paths = {
    resolvConf: path("resolv.conf"),
    hosts: path("hosts"),
    nsswitch: path("nsswitch.conf"),
    port: server.port,
  }
  return { write, path, paths }
}

type Family = "any" | "ipv4" | "ipv6"
const ways = ["dns.servers", "system"] as const

function serviceBy(way: (typeof ways)[number], server: ScriptedNames, family: Family = "any") {
  return way === "system"
    ? nameService({ servers: [], family }, systemFiles(server).paths)
    : nameService({ servers: [server.address], family })
}

async function textOf(asked: Promise<readonly { readonly address: string }[]>): Promise<string> {
  try {
    return (await asked).map(({ address }) => address).join(" ")
  } catch (error) {
    return `${isNothing(error) ? "nothing" : "failed"} ${reasonOf(error)}`
  }
}

describe.each(ways)("by %s", (way) => {
  const linux =
    way === "system" ? sideBySide(onLinux("the system's files", "elsewhere libc reads them")) : test

  linux.each([
    ["an empty answer", [], "nothing ENODATA"],
    ["no such name", "NXDOMAIN", "nothing ENOTFOUND"],
    ["a server that fails", "SERVFAIL", "failed ESERVFAIL"],
  ] as const)("%s is asked for again, and what is there then counts", async (_what, said, told) => {
    const { server, zone } = await lookingUp({ A: said, AAAA: said })
    const names = serviceBy(way, server)
    expect(await textOf(names.addresses("web.test"))).toBe(told)
    zone.A = a("10.0.0.1")
    zone.AAAA = []
    expect(await textOf(names.addresses("web.test"))).toBe("10.0.0.1")
    zone.A = []
    zone.AAAA = aaaa("fd00::1")
    expect(await textOf(names.addresses("web.test"))).toBe("fd00::1")
  })

  linux("no answer is kept: every look-up asks the server", async () => {
    const { server } = await lookingUp({ A: a("10.0.0.1"), AAAA: [] })
    const names = serviceBy(way, server)
    for (let i = 1; i <= 3; i++) {
      expect(await names.addresses("web.test")).toEqual([
        { address: "10.0.0.1", family: 4, ttl: 5 },
      ])
      expect(server.questions).toHaveLength(2 * i)
    }
  })

  linux.each(["SERVFAIL", "REFUSED", "NOTIMP", "SILENT"] as const)(
    "one family that is answered with %s does not hide the other one",
    async (fault) => {
      const { server, zone } = await lookingUp({ A: a("10.0.0.1"), AAAA: fault })
      const names = serviceBy(way, server)
      const began = performance.now()
      expect(await textOf(names.addresses("web.test"))).toBe("10.0.0.1")
      expect(performance.now() - began).toBeLessThan(1_900)
      zone.A = fault
      zone.AAAA = aaaa("fd00::1")
      // Of the family that fails now, the last good answer is kept.
      expect(await textOf(names.addresses("web.test"))).toBe("10.0.0.1 fd00::1")
      expect(await textOf(serviceBy(way, server).addresses("web.test"))).toBe("fd00::1")
    },
    20_000,
  )

  linux("with nothing in one family and no answer in the other, nobody knows", async () => {
    const { server, zone } = await lookingUp({ A: a("10.0.0.1"), AAAA: [] })
    const names = serviceBy(way, server)
    await names.addresses("web.test")
    zone.A = "REFUSED"
    expect(await textOf(names.addresses("web.test"))).toBe("failed EREFUSED")
  })

  linux.each([
    ["ipv4", "10.0.0.1", ["A"]],
    ["ipv6", "fd00::1", ["AAAA"]],
    ["any", "10.0.0.1 fd00::1", ["A", "AAAA"]],
  ] as const)("dns.family %s", async (family, told, types) => {
    const { server } = await lookingUp({ A: a("10.0.0.1"), AAAA: aaaa("fd00::1") })
    expect(await textOf(serviceBy(way, server, family).addresses("web.test"))).toBe(told)
    expect(server.questions.map(({ type }) => type).toSorted()).toEqual([...types])
  })

  linux(
    "an answer of more addresses than fit a datagram comes over TCP, and is bounded",
    async () => {
      const many = Array.from({ length: 1_500 }, (_, i) => `10.0.${i >> 8}.${i & 255}`)
      const { server, zone } = await lookingUp({ A: a(...many), AAAA: [] })
      const names = serviceBy(way, server)
      const first = await names.addresses("web.test")
      expect(first).toHaveLength(MOST_ADDRESSES)
      expect(first.every(({ ttl }) => ttl === 5)).toBe(true)
      expect(server.questions.map(({ type, over }) => `${type} ${over}`)).toContain("A tcp")
      zone.A = a(...many.toReversed())
      expect(await names.addresses("web.test")).toEqual(first)
      zone.A = a("10.0.0.1")
      expect(await textOf(names.addresses("web.test"))).toBe("10.0.0.1")
    },
  )

  linux("services come with their TTL", async () => {
    const server = await ScriptedNames.start(() => [
      { type: "SRV", data: "1 2 80 p1.test", ttl: 7 },
    ])
    expect(await serviceBy(way, server).services("_http._tcp.web.test")).toEqual([
      { name: "p1.test.", port: 80, priority: 1, weight: 2, ttl: 7 },
    ])
  })
})

const linux = sideBySide(onLinux("the system's files", "elsewhere libc reads them"))

linux("a system that gets its name server later is asked there then", async () => {
  const { server } = await lookingUp({ A: a("10.0.0.1"), AAAA: [] })
  const { write, path, paths } = systemFiles(server)
  rmSync(path("resolv.conf"))
  const names = nameService({ servers: [], family: "any" }, { ...paths, port: server.port })
  write("resolv.conf", "# nothing yet\nnameserver 127.0.0.99\noptions timeout:1 attempts:1\n")
  expect(await textOf(names.addresses("web.test"))).toStartWith("failed ")
  const found = async (): Promise<boolean> =>
    (await textOf(names.addresses("web.test"))) === "10.0.0.1"
  write("resolv.conf", "nameserver 127.0.0.1\n")
  await until(found, 5_000, "the server of the new file")
  // A link to a file elsewhere, which changes in its turn.
  write("stub.conf", "nameserver 127.0.0.99\noptions timeout:1 attempts:1\n")
  rmSync(path("resolv.conf"))
  symlinkSync(path("stub.conf"), path("resolv.conf"))
  await until(async () => !(await found()), 5_000, "the server behind the link")
  write("stub.conf", "nameserver 127.0.0.1\n")
  await until(found, 5_000, "the other server behind the link")
})

linux("names are completed by search domains, as ndots says", async () => {
  const zone: Record<string, Scripted> = { "web.two.test": a("10.0.0.2"), "a.b": a("10.0.0.3") }
  const server = await ScriptedNames.start(({ name, type }) =>
    type === "A" ? (zone[name] ?? "NXDOMAIN") : "NXDOMAIN",
  )
  const { write, paths } = systemFiles(server)
  write("resolv.conf", "nameserver 127.0.0.1\nsearch one.test two.test.\noptions ndots:1\n")
  const names = nameService({ servers: [], family: "ipv4" }, paths)
  const asked = (): string =>
    server.questions
      .splice(0)
      .map(({ name }) => name)
      .join(" ")
  expect(await textOf(names.addresses("web"))).toBe("10.0.0.2")
  expect(asked()).toBe("web.one.test web.two.test")
  expect(await textOf(names.addresses("a.b"))).toBe("10.0.0.3")
  expect(asked()).toBe("a.b")
  expect(await textOf(names.addresses("web.two.test."))).toBe("10.0.0.2")
  expect(asked()).toBe("web.two.test")
  expect(await textOf(names.addresses("none"))).toBe("nothing ENOTFOUND")
  // A search domain that fails is passed over, but not when the name was found there before.
  zone["web.one.test"] = "SERVFAIL"
  expect(await textOf(names.addresses("web"))).toBe("10.0.0.2")
  zone["web.two.test"] = "SERVFAIL"
  zone["web"] = a("10.6.6.6")
  expect(await textOf(names.addresses("web"))).toBe("failed ESERVFAIL")
})

linux(
  "search domains cost little where one family is never answered",
  async () => {
    const server = await ScriptedNames.start(({ name, type }) =>
      type === "AAAA" ? "SILENT" : name === "db.web.test" ? a("10.0.0.1") : "NXDOMAIN",
    )
    const { write, paths } = systemFiles(server)
    write("resolv.conf", "nameserver 127.0.0.1\nsearch a.test b.test c.test\noptions ndots:5\n")
    const names = nameService({ servers: [], family: "any" }, paths)
    const began = performance.now()
    expect(await textOf(names.addresses("db.web.test"))).toBe("10.0.0.1")
    expect(performance.now() - began).toBeLessThan(9_500)
  },
  30_000,
)

linux("the target of a service is a whole name, which no search domain completes", async () => {
  const server = await ScriptedNames.start(({ type }) =>
    type === "SRV" ? [{ type: "SRV", data: "1 2 80 p1.test" }] : a("10.0.0.1"),
  )
  const { write, paths } = systemFiles(server)
  write("resolv.conf", "nameserver 127.0.0.1\nsearch one.test\noptions ndots:5\n")
  const names = nameService({ servers: [], family: "ipv4" }, paths)
  const [service] = await names.services("_http._tcp.test")
  expect(await textOf(names.addresses(service?.name ?? ""))).toBe("10.0.0.1")
  expect(server.questions.map(({ name }) => name)).toEqual(["_http._tcp.test", "p1.test"])
})

linux("the hosts file comes before DNS, and its changes count", async () => {
  const { server } = await lookingUp({ A: a("10.0.0.9"), AAAA: [] })
  const { write, paths } = systemFiles(server)
  write("hosts", "10.0.0.1 other Web.test # web.test\nfd00::1 web.test\n\nnonsense web.test\n")
  const names = nameService({ servers: [], family: "any" }, paths)
  expect(await names.addresses("web.test")).toEqual([
    { address: "10.0.0.1", family: 4, ttl: 0 },
    { address: "fd00::1", family: 6, ttl: 0 },
  ])
  expect(
    await textOf(nameService({ servers: [], family: "ipv6" }, paths).addresses("WEB.test")),
  ).toBe("fd00::1")
  expect(server.questions).toEqual([])
  write("hosts", "")
  await until(
    async () => (await textOf(names.addresses("web.test"))) === "10.0.0.9",
    5_000,
    "the answer of DNS",
  )
})

linux("localhost is this machine, whatever DNS says", async () => {
  const { server } = await lookingUp({ A: a("10.6.6.6"), AAAA: [] })
  const { paths } = systemFiles(server)
  const names = nameService({ servers: [], family: "any" }, paths)
  expect(await textOf(names.addresses("localhost"))).toBe("127.0.0.1 ::1")
  expect(await textOf(names.addresses("app.LOCALHOST."))).toBe("127.0.0.1 ::1")
  expect(server.questions).toEqual([])
})

linux("where nsswitch.conf has other sources, the C library is asked last", async () => {
  const { server } = await lookingUp({ A: [], AAAA: [] })
  const { write, paths } = systemFiles(server)
  write("nsswitch.conf", "passwd: files\nhosts: files mdns4_minimal [NOTFOUND=return] dns\n")
  const names = nameService({ servers: [], family: "ipv4" }, paths)
  // The real library reads the real files: it knows no such name, and what DNS said is told.
  expect(await textOf(names.addresses("no-such-name.invalid"))).toBe("nothing ENODATA")
})

test("addresses that are written out are answered without a question", async () => {
  const names = nameService({ servers: ["127.0.0.1:1"], family: "ipv4" })
  expect(await names.addresses("fd00::1")).toEqual([{ address: "fd00::1", family: 6, ttl: 0 }])
})

describe("several servers", () => {
  const rules = { family: "ipv4" } as const

  test.each(["SERVFAIL", "REFUSED", "NOTIMP"] as const)(
    "the next is asked when one says %s",
    async (fault) => {
      const one = await ScriptedNames.start(() => fault)
      const two = await ScriptedNames.start(() => a("10.0.0.2"))
      const names = nameService({ ...rules, servers: [one.address, two.address] })
      expect(await textOf(names.addresses("web.test"))).toBe("10.0.0.2")
    },
  )

  test("one that was silent is asked last for a while", async () => {
    const one = await ScriptedNames.start(() => "SILENT")
    const two = await ScriptedNames.start(() => a("10.0.0.2"))
    const names = nameService({ ...rules, servers: [one.address, two.address] })
    expect(await textOf(names.addresses("web.test"))).toBe("10.0.0.2")
    expect(await textOf(names.addresses("other.test"))).toBe("10.0.0.2")
    expect([one.questions.length, two.questions.length]).toEqual([1, 2])
  })

  test("one where nobody listens costs no time", async () => {
    const two = await ScriptedNames.start(() => a("10.0.0.2"))
    const names = nameService({ ...rules, servers: ["127.0.0.1:1", two.address] })
    const began = performance.now()
    expect(await textOf(names.addresses("web.test"))).toBe("10.0.0.2")
    expect(performance.now() - began).toBeLessThan(1_500)
  })
})

describe("a server that", () => {
  const asking = async (answer: (question: Question) => Scripted) => {
    const server = await ScriptedNames.start(answer)
    const names = nameService({ servers: [server.address], family: "ipv4" })
    return { server, told: () => textOf(names.addresses("web.test")) }
  }

  test("knows nothing of EDNS is asked without it", async () => {
    const { server, told } = await asking(({ edns }) => (edns ? "FORMERR" : a("10.0.0.1")))
    expect(await told()).toBe("10.0.0.1")
    expect(server.questions.map(({ edns }) => edns)).toEqual([true, false])
  })

  test("sends what cannot be read has failed", async () => {
    const { told } = await asking(() => (query) => {
      const reply = Buffer.from(query)
      reply.writeUInt16BE(0x8180, 2)
      reply.writeUInt16BE(40, 6)
      return reply
    })
    expect(await told()).toBe("failed EBADRESP")
  })

  test("is asked the same twice at once is asked once", async () => {
    const { server, told } = await asking(() => a("10.0.0.1"))
    expect(await Promise.all([told(), told()])).toEqual(["10.0.0.1", "10.0.0.1"])
    expect(server.questions).toHaveLength(1)
  })

  test("is asked for a thousand names answers for all of them", async () => {
    const server = await ScriptedNames.start(() => a("10.0.0.1"))
    const names = nameService({ servers: [server.address], family: "ipv4" })
    const all = Array.from({ length: 1_000 }, (_, i) => textOf(names.addresses(`n${i}.test`)))
    expect(new Set(await Promise.all(all))).toEqual(new Set(["10.0.0.1"]))
  })
})
