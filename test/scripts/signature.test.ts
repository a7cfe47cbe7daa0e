/** Signing for macOS, tried on a small file of its own making. On a real one the release tries it. */
import { afterAll, expect, test } from "bun:test"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { placesOf } from "../../scripts/release/mach-o.ts"
import { ensureSigned, isSigned, sign } from "../../scripts/release/signature.ts"

const folder = mkdtempSync(join(tmpdir(), "bunlb-signature-"))
afterAll(() => rmSync(folder, { recursive: true }))

const PAGE = 4096
const TEXT_BYTES = 2 * PAGE
const LINKS_BYTES = 100
const CODE_BYTES = TEXT_BYTES + LINKS_BYTES

/** Two pages of code, 100 bytes of links, and `signatureBytes` that sign nothing. */
function machO(signatureBytes: number): Buffer {
  const bytes = Buffer.alloc(CODE_BYTES + signatureBytes, 7)
  const words = (at: number, ...values: readonly number[]): void => {
    for (const [index, value] of values.entries()) bytes.writeUInt32LE(value, at + index * 4)
  }
  const segment = (at: number, name: string, from: number, size: number): void => {
    words(at, 0x19, 72)
    bytes.write(name.padEnd(16, "\0"), at + 8, "latin1")
    for (const [index, value] of [from, PAGE, from, size].entries()) {
      bytes.writeBigUInt64LE(BigInt(value), at + 24 + index * 8)
    }
  }
  words(0, 0xfeedfacf, 0x01000007, 3, 2, 3, 72 + 72 + 16, 0, 0)
  segment(32, "__TEXT", 0, TEXT_BYTES)
  segment(104, "__LINKEDIT", TEXT_BYTES, LINKS_BYTES + signatureBytes)
  words(176, 0x1d, 16, CODE_BYTES, signatureBytes)
  return bytes
}

test.each([0, 50, 5_000])("a signature takes the place of %i bytes that are none", (before) => {
  const unsigned = machO(before)
  expect(isSigned(unsigned)).toBe(false)
  const signed = sign(unsigned)
  expect(isSigned(signed)).toBe(true)
  expect(sign(signed)).toEqual(signed)
  const { linkedit, signature } = placesOf(signed)
  expect(signature).toMatchObject({ offset: CODE_BYTES, size: signed.length - CODE_BYTES })
  expect(linkedit.fileOffset + linkedit.fileSize).toBe(signed.length)
  // The last page is hashed as long as it is.
  const last = new Bun.CryptoHasher("sha256").update(signed.subarray(TEXT_BYTES, CODE_BYTES))
  expect(signed.subarray(-32)).toEqual(last.digest())
})

test("what is changed, added or cut is not signed any more", () => {
  const signed = sign(machO(0))
  for (const at of [28, PAGE + 1, CODE_BYTES - 1, signed.length - 1]) {
    const changed = Buffer.from(signed)
    changed.writeUInt8(changed.readUInt8(at) ^ 1, at)
    expect(isSigned(changed)).toBe(false)
  }
  expect(isSigned(Buffer.concat([signed, Buffer.of(0)]))).toBe(false)
  expect(isSigned(signed.subarray(0, -1))).toBe(false)
})

test("a file is signed if it wants that, and else left alone", () => {
  const file = join(folder, "executable")
  writeFileSync(file, machO(0))
  ensureSigned(file)
  const signed = readFileSync(file)
  expect(isSigned(signed)).toBe(true)
  for (const bytes of [
    signed,
    Buffer.from("\x7fELF and what follows it, some bytes"),
    Buffer.of(),
  ]) {
    writeFileSync(file, bytes)
    ensureSigned(file)
    expect(readFileSync(file)).toEqual(bytes)
  }
})
