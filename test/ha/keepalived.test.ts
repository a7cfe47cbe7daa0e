/** `bunlb keepalived`: what it prints, what it refuses, and what keepalived itself thinks of it. */
import { afterAll, expect, test } from "bun:test"
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { bunlb } from "../cli/fake-terminal.ts"
import { find } from "../matrix/programs.ts"
import { root } from "../support/source.ts"
import { Network } from "./network.ts"

const folder = mkdtempSync(join(tmpdir(), "bunlb-keepalived-"))
afterAll(() => rmSync(folder, { recursive: true }))

const usual = "keepalived --vip 10.0.0.100/24 --interface eth0 --peer 10.0.0.12"
const ask = (line: string) => bunlb(line.split(" "))

/** Lines of a block without their indentation. */
const linesOf = (text: string): string[] => text.split("\n").map((line) => line.trim())

test("two nodes that do not preempt, a tracked file that is a fault until it is written", async () => {
  const { code, out, complaints } = await ask(usual)
  expect([code, complaints]).toEqual([0, ""])
  const lines = linesOf(out)
  for (const line of [
    ...["vrrp_version 3", 'file "/run/bunlb-watch/fault"', "weight 0", "init_file 1"],
    ...["state BACKUP", "interface eth0", "virtual_router_id 51", "priority 250"],
    ...["advert_int 0.1", "nopreempt", "10.0.0.12", "10.0.0.100/24"],
  ]) {
    expect(lines).toContain(line)
  }
  expect(out).not.toMatch(/unicast_src_ip|static_ipaddress/)
})

test("every flag reaches the file", async () => {
  const flags = "--vip 10.0.0.101/24 --peer 10.0.0.13 --address 10.0.0.11 --priority 200 --preempt"
  const more = "--state master --router-id 7 --advert 50ms --track-file /run/x/y"
  const { out } = await ask(`${usual} ${flags} ${more}`)
  const lines = linesOf(out)
  for (const line of [
    ...["state MASTER", "virtual_router_id 7", "priority 200"],
    ...["advert_int 0.05", 'file "/run/x/y"', "unicast_src_ip 10.0.0.11"],
    ...["10.0.0.12", "10.0.0.13", "10.0.0.100/24", "10.0.0.101/24"],
  ]) {
    expect(lines).toContain(line)
  }
  expect(out).not.toContain("preempt")
  expect((await ask(`${usual} --preempt`)).out).toContain("\n  preempt_delay 5\n")
})

const own = "--address 10.0.0.11 --linger"

test("--linger keeps each address on lo, lets the peers be heard and loads the rules", async () => {
  const { out } = await ask(`${usual} --vip 10.0.0.101/24 --peer 10.0.0.13 ${own}`)
  const four = linesOf(out)
  expect(four).toContain("10.0.0.100/32 dev lo")
  expect(four).toContain("10.0.0.101/32 dev lo")
  for (const peer of ["10.0.0.12", "10.0.0.13"]) expect(four).toContain(`neighbor_ip ${peer}`)
  expect(four).toContain("source_ip 10.0.0.11")
  expect(four).toContain('startup_script "/usr/sbin/nft -f /etc/keepalived/bunlb-linger.nft"')
  expect(four).toContain('shutdown_script "/usr/sbin/nft delete table ip bunlb_linger"')
  const elsewhere = linesOf((await ask(`${usual} ${own} --rules-file /etc/l.nft`)).out)
  expect(elsewhere).toContain('startup_script "/usr/sbin/nft -f /etc/l.nft"')
  const six =
    "keepalived --vip fd00::100/64 --interface eth0 --peer fd00::2 --address fd00::1 --linger"
  const lines = linesOf((await ask(six)).out)
  expect(lines).toContain("fd00::100/128 dev lo")
  expect(lines).toContain('shutdown_script "/usr/sbin/nft delete table ip6 bunlb_linger"')
})

test("--rules: every node has the same ring, and a mark of its own", async () => {
  const ring = ["10.0.0.9", "10.0.0.10", "10.0.0.11"]
  const marks = await Promise.all(
    ring.map(async (address) => {
      const peers = ring.filter((other) => other !== address).toReversed()
      const group = `--address ${address} ${peers.map((peer) => `--peer ${peer}`).join(" ")}`
      const line = `keepalived --vip 10.0.0.100/24 --interface eth0 ${group} --linger --rules`
      const rules = linesOf((await ask(line)).out)
      const asked = rules.map((each) => /dup to (\S+) drop/.exec(each)?.[1]).filter(Boolean)
      expect(asked.toSorted()).toEqual(peers.toSorted())
      const mark = rules.map((each) => /dscp set (0x..)/.exec(each)?.[1]).find(Boolean)
      return [mark, asked[0]]
    }),
  )
  expect(new Set(marks.map(([mark]) => mark)).size).toBe(3)
  // Each begins with the next one, so that whoever follows it comes to all.
  expect(new Set(marks.map(([, first]) => first)).size).toBe(3)
})

test("--write makes a file for each node, seen from itself", async () => {
  const place = join(folder, "group")
  const { out, complaints } = await ask(
    `${usual} --peer 10.0.0.13 --address 10.0.0.11 --write ${place}`,
  )
  expect(complaints).toBe("")
  expect(out.split("\n")).toEqual(
    ["11", "12", "13"].map((last) => join(place, `keepalived-10.0.0.${last}.conf`)),
  )
  const texts = readdirSync(place)
    .toSorted()
    .map((name) => linesOf(readFileSync(join(place, name), "utf8")))
  expect(texts.map((lines) => lines.find((line) => line.startsWith("priority")))).toEqual([
    ...["priority 250", "priority 240", "priority 230"],
  ])
  texts.forEach((lines, index) => {
    const peers = lines.slice(lines.indexOf("unicast_peer {") + 1)
    const own = `10.0.0.${11 + index}`
    expect(lines).toContain(`unicast_src_ip ${own}`)
    expect(peers.slice(0, peers.indexOf("}"))).toEqual(
      ["10.0.0.11", "10.0.0.12", "10.0.0.13"].filter((each) => each !== own),
    )
  })
})

test.each<[string, string]>([
  ["keepalived", "--vip is missing: --vip 10.0.0.100/24"],
  ["keepalived --vip 10.0.0.100/24", "--interface is missing: --interface eth0"],
  [
    "keepalived --vip 10.0.0.100/24 --interface eth0",
    "--peer is missing: the own address of the other node",
  ],
  [
    "keepalived --vip 10.0.0.100",
    '--vip: expected an address with its prefix length such as 10.0.0.100/24, got "10.0.0.100"',
  ],
  [`${usual} --peer fd00::2`, "--vip, --peer and --address must all be IPv4 or all IPv6"],
  [`${usual} --address 10.0.0.12`, "--peer and --address: one of them is there twice"],
  [`${usual} --advert 15ms`, "--advert: 15ms is not a whole number of 10 ms"],
  [
    `${usual} --state master`,
    "--state master needs --preempt: who does not preempt begins as backup",
  ],
  [`${usual} --write x`, "--write needs --address, this node's own"],
  [
    `${usual} --write x --address 10.0.0.11 --priority 10`,
    "--priority: 10 is too low for 1 peers, ten apart",
  ],
  [`${usual} --linger`, "--linger needs --address, this node's own"],
  [`${usual} --rules`, "--rules needs --linger: only that has rules"],
  [
    `${usual} ${own} ${Array.from({ length: 15 }, (_, n) => `--peer 10.0.1.${n}`).join(" ")}`,
    "--linger: at most 16 nodes",
  ],
  [
    "keepalived --vip fd00::1/64 --interface eth0 --peer fe80::2 --address fe80::1 --linger",
    "--linger: fe80::2 is of one link only: take an address with a route",
  ],
  [
    "keepalived --vip 10.0.0.12/24 --interface eth0 --peer 10.0.0.12",
    "--vip: 10.0.0.12/24 is a node's own address, which does not move",
  ],
  ["watch --admin off", "--admin: expected HOST:PORT, got off"],
  [
    "watch --track-file fault",
    "--track-file: expected an absolute path without spaces such as /run/bunlb-watch/fault, " +
      'got "fault"',
  ],
])("bunlb %s", async (line, fault) => {
  expect(await ask(line)).toEqual({ code: 2, out: "", complaints: `bunlb: ${fault}` })
})

test("--write --linger makes the rules of each node too", async () => {
  const place = join(folder, "lingering")
  await ask(`${usual} ${own} --write ${place}`)
  expect(readdirSync(place).toSorted()).toEqual(
    ["11", "12"]
      .flatMap((last) => [`bunlb-linger-10.0.0.${last}.nft`, `keepalived-10.0.0.${last}.conf`])
      .toSorted(),
  )
  const rules = readFileSync(join(place, "bunlb-linger-10.0.0.12.nft"), "utf8")
  expect(rules).toContain("dup to 10.0.0.11 drop")
})

test("the examples in scripts/deploy/keepalived are what it writes", async () => {
  const place = join(root, "scripts", "deploy", "keepalived")
  const made = join(folder, "examples")
  await ask(`${usual} --address 10.0.0.11 --write ${made}`)
  for (const name of readdirSync(made)) {
    expect(readFileSync(join(place, name), "utf8")).toBe(readFileSync(join(made, name), "utf8"))
  }
})

const obstacle = find("keepalived") === null ? "keepalived is not installed" : Network.obstacle()
if (obstacle !== null) console.error(`not run: keepalived judges its configuration: ${obstacle}`)

test.skipIf(obstacle !== null)("keepalived takes it", async () => {
  await using network = new Network()
  network.host("node", 11)
  const file = join(folder, "checked.conf")
  const judge = [find("keepalived") ?? "", "--config-test", "-f", file]
  for (const more of ["", " --preempt", " --preempt --state master", ` ${own}`]) {
    const { out } = await ask(`${usual} --track-file ${folder}/fault${more}`)
    writeFileSync(file, out)
    const judged = network.run("node", judge)
    expect([await judged.exited(), ...judged.lines]).toEqual([0])
  }
  writeFileSync(file, "vrrp_instance bunlb {\n  priority many\n}\n")
  expect(await network.run("node", judge).exited()).not.toBe(0)
})
