import { describe, expect, test } from "bun:test"
import { NO_TOKEN } from "../../src/balance/strategy.ts"
import { formatToken, parseToken, tokenOf } from "../../src/balance/token.ts"
import { rng } from "../support/until.ts"

const KEY = "correct-horse-battery"

function parse(text: string): number {
  const bytes = Buffer.from(`<${text}>`, "latin1")
  return parseToken(bytes, 1, bytes.length - 1)
}

describe("token", () => {
  test("is the same on every machine and in every version", () => {
    // printf 127.0.0.1:9001 | openssl dgst -sha256 -hmac correct-horse-battery
    expect(formatToken(tokenOf("127.0.0.1:9001", KEY))).toBe("a3fb943119e6")
  })

  test("tells nothing to whoever guesses the address and not the key", () => {
    const token = tokenOf("10.1.2.3:80", KEY)
    const plain = new Bun.CryptoHasher("sha256").update("10.1.2.3:80").digest("hex").slice(0, 12)
    expect(formatToken(token)).not.toBe(plain)
    for (const key of ["", "correct-horse-batterx", "another-key-of-16"]) {
      expect(tokenOf("10.1.2.3:80", key)).not.toBe(token)
    }
  })

  test("differs for 1,024 names", () => {
    const tokens = Array.from({ length: 1024 }, (_, at) => tokenOf(`10.0.0.1:${at}`, KEY))
    expect(new Set(tokens).size).toBe(1024)
    expect(tokens.every((token) => Number.isSafeInteger(token) && token >= 0)).toBe(true)
  })

  test("reads back all that it writes", () => {
    const random = rng(3)
    const numbers = [0, 1, 2 ** 48 - 1, 2 ** 31, 2 ** 32]
    for (let round = 0; round < 500; round++) numbers.push(Math.floor(random.next() * 2 ** 48))
    for (const number of numbers) {
      expect(formatToken(number)).toMatch(/^[0-9a-f]{12}$/)
      expect(parse(formatToken(number))).toBe(number)
    }
  })

  test("anything but twelve lower-case hex digits is no token", () => {
    const others = ["", "0", "00000000000", "0000000000000", "00000000000G", "00000000000A"]
    others.push("0x0000000000", "-00000000001", " 00000000000", '"0000000000"', "00000000000/")
    others.push(
      "00000000000:",
      "00000000000`",
      "00000000000g",
      "00000000000\xff",
      "00000\x00000000",
    )
    for (const other of others) expect(parse(other)).toBe(NO_TOKEN)
  })
})
