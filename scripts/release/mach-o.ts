/** The places in a Mach-O file of 64 bits that its signature is about. Offsets are those of the file. */

const MAGIC = 0xfeedfacf
const HEADER_BYTES = 32
const SEGMENT_64 = 0x19
const CODE_SIGNATURE = 0x1d

interface Segment {
  /** Of its load command. */
  readonly command: number
  readonly fileOffset: number
  readonly fileSize: number
}

export interface MachO {
  readonly text: Segment
  /** The last one; the signature is its end. */
  readonly linkedit: Segment
  readonly signature: { readonly command: number; readonly offset: number; readonly size: number }
}

/** Null for another kind of file. */
export function readMachO(bytes: Buffer): MachO | null {
  if (bytes.length < HEADER_BYTES || bytes.readUInt32LE(0) !== MAGIC) return null
  const segments = new Map<string, Segment>()
  let signature: MachO["signature"] | null = null
  let command = HEADER_BYTES
  for (let left = bytes.readUInt32LE(16); left > 0; left--) {
    const kind = bytes.readUInt32LE(command)
    if (kind === SEGMENT_64) {
      segments.set(nameAt(bytes, command + 8), {
        command,
        fileOffset: Number(bytes.readBigUInt64LE(command + 40)),
        fileSize: Number(bytes.readBigUInt64LE(command + 48)),
      })
    }
    if (kind === CODE_SIGNATURE) {
      const offset = bytes.readUInt32LE(command + 8)
      signature = { command, offset, size: bytes.readUInt32LE(command + 12) }
    }
    command += bytes.readUInt32LE(command + 4)
  }
  const [text, linkedit] = [segments.get("__TEXT"), segments.get("__LINKEDIT")]
  if (text === undefined || linkedit === undefined || signature === null) {
    throw new Error("is a Mach-O file without __TEXT, __LINKEDIT or a place for its signature")
  }
  return { text, linkedit, signature }
}

/** Makes the signature `size` bytes long, and so the file: what was there before is lost. */
export function resizeSignature(bytes: Buffer, size: number): Buffer {
  const { linkedit, signature } = placesOf(bytes)
  const end = signature.offset + size
  const resized = Buffer.alloc(end)
  bytes.copy(resized, 0, 0, signature.offset)
  resized.writeUInt32LE(size, signature.command + 12)
  const fileSize = end - linkedit.fileOffset
  const inMemory = BigInt(Math.ceil(fileSize / 4096) * 4096)
  resized.writeBigUInt64LE(inMemory, linkedit.command + 32)
  resized.writeBigUInt64LE(BigInt(fileSize), linkedit.command + 48)
  return resized
}

export function placesOf(bytes: Buffer): MachO {
  const places = readMachO(bytes)
  if (places === null) throw new Error("is no Mach-O file")
  return places
}

function nameAt(bytes: Buffer, offset: number): string {
  return bytes.toString("latin1", offset, offset + 16).replace(/\0+$/, "")
}
