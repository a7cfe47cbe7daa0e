/**
 * Connections outlive a move of their address: the rules of `bunlb keepalived --linger --rules`, on nodes in network
 * namespaces that echo lines. Where the address is, is what the client's neighbour table says.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { strayPacketRules } from "../../src/ha/stray-packets.ts"
import { find } from "../matrix/programs.ts"
import type { BunlbProcess } from "../support/processes.ts"
import { until } from "../support/until.ts"
import { Network } from "./network.ts"

const VIP = "10.77.0.100"
const PORT = "80"
const names = ["one", "two", "three"] as const
type Name = (typeof names)[number]
/** Who is kept from running cannot be heard. */
const first = ["nice", "-n", "-10"]
const program = [...first, process.execPath, join(import.meta.dir, "echo-node.ts")]

const obstacle = find("nft") === null ? "nft is not installed" : Network.obstacle()
if (obstacle !== null) console.error(`not run: connections outlive a move: ${obstacle}`)

describe.skipIf(obstacle !== null)("a connection of a node that gave the address up", () => {
  const folder = mkdtempSync(join(tmpdir(), "bunlb-second-chance-"))
  let network: Network
  const servers = new Map<Name, BunlbProcess>()
  const addresses = names.map((_, index) => `10.77.0.${11 + index}`)

  beforeAll(async () => {
    network = new Network()
    network.host("client", 30)
    for (const [index, name] of names.entries()) {
      network.host(name, 11 + index)
      network.ip(name, `addr add ${VIP}/32 dev lo`)
      writeFileSync(rulesOf(name), strayPacketRules({ vips: [VIP], ...seenFrom(index) }))
      await nft(name, "-f", rulesOf(name))
    }
    for (const [index, name] of names.entries()) {
      network.run(name, [...program, "beat", ...seenFrom(index).peers])
    }
    await Promise.all(names.map(serve))
    await allHeard()
  })

  afterAll(async () => {
    await network[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true })
  })

  const rulesOf = (name: Name): string => join(folder, `${name}.nft`)
  const seenFrom = (index: number) => ({
    address: addresses[index] ?? "",
    peers: addresses.filter((_, other) => other !== index),
  })

  async function serve(name: Name): Promise<void> {
    const server = network.run(name, [...program, "serve", name, PORT])
    servers.set(name, server)
    await server.line(/^serves$/)
  }

  async function die(name: Name): Promise<void> {
    servers.get(name)?.kill("SIGKILL")
    await servers.get(name)?.exited()
  }

  async function heard(who: Name, by: Name): Promise<boolean> {
    const set = `heard_${addresses[names.indexOf(who)]?.replaceAll(".", "_")}`
    return (await nft(by, "list", "set", "ip", "bunlb_linger", set)).includes("expires")
  }

  async function allHeard(): Promise<void> {
    for (const by of names) {
      for (const who of names.filter((each) => each !== by)) {
        await until(() => heard(who, by), 5_000, `${by} to hear ${who}`)
      }
    }
  }

  const notHeard = (who: Name, by: Name): Promise<unknown> =>
    until(async () => !(await heard(who, by)), 5_000, `${by} to hear ${who} no more`)

  /** null: to where nobody is. */
  function moveTo(name: Name | null): void {
    const own = name === null ? "" : network.ip(name, "-o link show dev eth0")
    const [, mac = "02:00:00:00:00:01"] = /ether (\S+)/.exec(own) ?? []
    network.ip("client", `neigh replace ${VIP} lladdr ${mac} dev eth0 nud permanent`)
  }

  const ask = (): BunlbProcess => network.run("client", [...program, "ask", VIP, PORT])

  /** Ten more answers, all of them by this node. */
  async function answeredBy(client: BunlbProcess, name: Name): Promise<void> {
    const from = client.lines.length
    await until(() => client.lines.length >= from + 10, 5_000, "ten more answers")
    for (const line of client.lines.slice(from)) expect(line).toStartWith(`${name}:`)
  }

  test("goes on being answered by that node, wherever the address goes", async () => {
    moveTo("one")
    await using client = ask()
    await client.line(/^one:/)
    // In the order of the ring one is asked last by two, and first by three.
    for (const holder of ["two", "three", "one", "two"] as const) {
      moveTo(holder)
      await answeredBy(client, "one")
    }
    await using newcomer = ask()
    await newcomer.line(/^two:/)
  })

  test("is reset when nobody knows it, by packets that go round once", async () => {
    moveTo("one")
    await using client = ask()
    await client.line(/^one:/)
    await Promise.all(names.map(countPackets))
    // What it says when it forgets must not arrive, nor what it would answer afterwards.
    moveTo(null)
    network.cable("one", "down")
    servers.get("one")?.kill("SIGUSR2")
    await servers.get("one")?.line(/^forgot$/)
    network.cable("one", "up")
    await allHeard()
    moveTo("two")
    await client.line(/^reset$/)
    const [one, two, three] = [await counted("one"), await counted("two"), await counted("three")]
    expect(two.marked).toBeGreaterThan(0)
    for (const { marked } of [one, two, three]) expect(marked).toBeLessThanOrEqual(two.fresh)
  })

  test("is reset soon when that node is gone", async () => {
    moveTo("one")
    await using client = ask()
    await client.line(/^one:/)
    network.cable("one", "down")
    moveTo("two")
    await client.line(/^reset$/)
    network.cable("one", "up")
    await die("one")
    await serve("one")
    await allHeard()
  })

  test("goes on when the program of a node that is asked before it does not run", async () => {
    moveTo("one")
    await using client = ask()
    await client.line(/^one:/)
    await die("three")
    moveTo("two")
    await answeredBy(client, "one")
    await serve("three")
  })

  test("goes on when a node that would be asked before it has lost its rules", async () => {
    moveTo("one")
    await using client = ask()
    await client.line(/^one:/)
    await nft("three", "flush", "ruleset")
    await notHeard("three", "two")
    moveTo("two")
    await answeredBy(client, "one")
    await nft("three", "-f", rulesOf("three"))
    await allHeard()
  })

  test("is reset, and sent to nobody, where the network takes marks away", async () => {
    moveTo("one")
    await using client = ask()
    await client.line(/^one:/)
    const chain = "chain passing {\n type filter hook forward priority 0\n ip dscp set cs0\n}"
    writeFileSync(join(folder, "bleach"), `table bridge bleach {\n${chain}\n}\n`)
    await nft("switch", "-f", join(folder, "bleach"))
    for (const name of ["one", "three"] as const) await notHeard(name, "two")
    await countPackets("three")
    moveTo("two")
    await client.line(/^reset$/)
    expect(await counted("three")).toEqual({ fresh: 0, marked: 0 })
    await nft("switch", "delete", "table", "bridge", "bleach")
    await allHeard()
  })

  test("with SYN cookies, which only their maker can judge, a new one begins", async () => {
    for (const name of names) network.sysctl(name, "net.ipv4.tcp_syncookies=2")
    moveTo("two")
    await using client = ask()
    await answeredBy(client, "two")
    // Nor does it matter whether the others can be asked.
    for (const name of ["one", "three"] as const) await die(name)
    await using another = ask()
    await answeredBy(another, "two")
  })

  async function nft(name: Name | "switch", ...words: string[]): Promise<string> {
    const ran = network.run(name, [find("nft") ?? "", ...words])
    expect(await ran.exited()).toBe(0)
    return ran.lines.join("")
  }

  /** Packets to the address, by their marks, before the rules see them. */
  async function countPackets(name: Name): Promise<void> {
    const file = join(folder, `${name}.count`)
    const to = `ip daddr ${VIP} tcp dport ${PORT} ip dscp`
    const rules = [`${to} 0 counter`, `${to} != 0 counter`].join("\n")
    const chain = `chain arriving {\n type filter hook prerouting priority -310;\n${rules}\n}`
    writeFileSync(
      file,
      `table ip counted\ndelete table ip counted\ntable ip counted {\n${chain}\n}\n`,
    )
    await nft(name, "-f", file)
  }

  async function counted(name: Name): Promise<{ fresh: number; marked: number }> {
    const listed = await nft(name, "list", "table", "ip", "counted")
    const [fresh = NaN, marked = NaN] = [...listed.matchAll(/counter packets (\d+)/g)].map(
      ([, n]) => Number(n),
    )
    return { fresh, marked }
  }
})
