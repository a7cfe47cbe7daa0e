/** Addresses read from bytes, against node:net and the URL parser. */
import { expect, test } from "bun:test"
import { isIP } from "node:net"
import { putV4, readIp } from "../../../src/net/ip/bytes.ts"

const groups = new Uint16Array(8)

function read(text: string): number {
  const bytes = Buffer.from(`<${text}>`, "latin1")
  return readIp(bytes, 1, bytes.length - 1, groups)
}

/** The groups of an IPv6 address as the URL parser knows them. */
function groupsOf(text: string): number[] {
  const [left = "", right] = new URL(`http://[${text}]/`).hostname.slice(1, -1).split("::")
  const words = (part: string): number[] =>
    part === "" ? [] : part.split(":").map((word) => parseInt(word, 16))
  if (right === undefined) return words(left)
  const [before, after] = [words(left), words(right)]
  return [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after]
}

const pieces = ["", "0", "1", "01", "9", "99", "255", "256", "ab", "FFFF", "12345", "g", "::", ":"]
const joints = [":", ".", "::", ""]

test("what is an address is what node:net takes for one", () => {
  let seed = 20_261_130
  const random = (limit: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) & 0x7fffffff
    return seed % limit
  }
  let addresses = 0
  for (let round = 0; round < 40_000; round++) {
    const joint = joints[random(4)] ?? ""
    const count = joint === "." ? 3 + random(3) : 1 + random(9)
    const words = Array.from({ length: count }, () => pieces[random(pieces.length)] ?? "")
    const text = words.join(joint) + (random(8) === 0 ? ":1.2.3.4" : "")
    const kind = read(text)
    if (kind === 4 && isIP(text) === 6) continue
    expect([text, kind]).toEqual([text, isIP(text)])
    // The URL parser does not know every form that node:net does.
    if (kind === 6 && URL.canParse(`http://[${text}]/`))
      expect([text, [...groups]]).toEqual([text, groupsOf(text)])
    if (kind !== 0) addresses++
  }
  expect(addresses).toBeGreaterThan(500)
})

test.each(["0.0.0.0", "1.2.3.4", "10.0.0.255", "100.20.3.199", "255.255.255.255"])(
  "%s is written as it was read, also out of IPv6",
  (text) => {
    for (const form of [text, `::ffff:${text}`]) {
      expect(read(form)).toBe(4)
      const out = Buffer.alloc(20)
      expect(out.toString("latin1", 2, putV4(groups, out, 2))).toBe(text)
    }
  },
)

test("a zone is not part of the address", () => {
  expect(read("fe80::1%eth0")).toBe(6)
  expect([...groups]).toEqual([0xfe80, 0, 0, 0, 0, 0, 0, 1])
})
