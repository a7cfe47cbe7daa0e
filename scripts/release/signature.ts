/**
 * The signature that macOS wants of every executable: a hash of each page, signed by nobody ("ad hoc"). Bun signs what
 * it compiles for arm64; for x64 it leaves the signature of its own runtime, which what was packed has made false, and
 * macOS may kill such a process. The form is what the linkers of Go and Apple write; no secret and no Mac is needed.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { placesOf, readMachO, resizeSignature } from "./mach-o.ts"

const SUPER_BLOB = 0xfade0cc0
const CODE_DIRECTORY = 0xfade0c02
const SUPER_BLOB_BYTES = 20
const DIRECTORY_BYTES = 88
const VERSION = 0x20400
/** Ad hoc, and by a linker: `codesign` replaces it without being forced. */
const FLAGS = 0x20002
const SHA256 = 2
const HASH_BYTES = 32
const PAGE_BITS = 12
const MAIN_BINARY = 1n
const NAME = "bunlb\0"

/** Signs a file whose signature is false; one of another system, or that is rightly signed, stays as it is. */
export function ensureSigned(path: string): void {
  const bytes = readFileSync(path)
  if (readMachO(bytes) === null || isSigned(bytes)) return
  writeFileSync(path, sign(bytes))
}

export function sign(unsigned: Buffer): Buffer {
  const pages = Math.ceil(placesOf(unsigned).signature.offset / (1 << PAGE_BITS))
  const length = DIRECTORY_BYTES + NAME.length + pages * HASH_BYTES
  const bytes = resizeSignature(unsigned, SUPER_BLOB_BYTES + length)
  const { text, signature } = placesOf(bytes)
  const blob = bytes.subarray(signature.offset)
  // One part, of kind 0, behind this head.
  for (const [at, value] of [SUPER_BLOB, blob.length, 1, 0, SUPER_BLOB_BYTES].entries()) {
    blob.writeUInt32BE(value, at * 4)
  }
  const directory = blob.subarray(SUPER_BLOB_BYTES)
  const hashes = DIRECTORY_BYTES + NAME.length
  const words = [CODE_DIRECTORY, length, VERSION, FLAGS, hashes, DIRECTORY_BYTES, 0, pages]
  for (const [at, value] of [...words, signature.offset].entries()) {
    directory.writeUInt32BE(value, at * 4)
  }
  directory.set([HASH_BYTES, SHA256, 0, PAGE_BITS], 36)
  directory.writeBigUInt64BE(BigInt(text.fileOffset), 64)
  directory.writeBigUInt64BE(BigInt(text.fileSize), 72)
  directory.writeBigUInt64BE(MAIN_BINARY, 80)
  directory.write(NAME, DIRECTORY_BYTES, "latin1")
  for (const [page, hash] of hashesOf(bytes, signature.offset).entries()) {
    directory.set(hash, hashes + page * HASH_BYTES)
  }
  return bytes
}

/** Does every page, up to the signature, have the hash that is written there, and does nothing follow? */
export function isSigned(bytes: Buffer): boolean {
  const { linkedit, signature } = placesOf(bytes)
  const end = signature.offset + signature.size
  if (end !== bytes.length || linkedit.fileOffset + linkedit.fileSize !== end) return false
  const blob = bytes.subarray(signature.offset)
  if (blob.length < SUPER_BLOB_BYTES || blob.readUInt32BE(0) !== SUPER_BLOB) return false
  const directory = blob.subarray(blob.readUInt32BE(16))
  if (directory.length < DIRECTORY_BYTES) return false
  const isKnown =
    directory.readUInt32BE(0) === CODE_DIRECTORY &&
    directory.readUInt32BE(32) === signature.offset &&
    directory.readUInt8(37) === SHA256 &&
    directory.readUInt8(39) === PAGE_BITS
  if (!isKnown) return false
  const written = directory.subarray(directory.readUInt32BE(16))
  return hashesOf(bytes, signature.offset).every((hash, page) =>
    hash.equals(written.subarray(page * HASH_BYTES, (page + 1) * HASH_BYTES)),
  )
}

/** Of each page; the last one may be short. */
function hashesOf(bytes: Buffer, end: number): Buffer[] {
  const hashes: Buffer[] = []
  for (let at = 0; at < end; at += 1 << PAGE_BITS) {
    const page = bytes.subarray(at, Math.min(at + (1 << PAGE_BITS), end))
    hashes.push(new Bun.CryptoHasher("sha256").update(page).digest())
  }
  return hashes
}
