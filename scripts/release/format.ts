/** Is an executable made for the platform that it says? Read from its bytes, since not every one can be run here. */
import { closeSync, openSync, readFileSync, readSync } from "node:fs"
import { isSigned } from "./signature.ts"
import type { Target } from "./targets.ts"

const ELF_MAGIC = 0x7f454c46
const ELF_MACHINES = { x64: 62, arm64: 183 }
const MACH_O_MAGIC = 0xfeedfacf
const MACH_O_MACHINES = { x64: 0x01000007, arm64: 0x0100000c }
/** The name of the dynamic linker stands near the beginning. */
const HEAD_BYTES = 64 * 1024

/** What it found, in words; throws when that is something else. */
export function checkFormat(path: string, target: Target): string {
  const head = Buffer.alloc(HEAD_BYTES)
  const file = openSync(path, "r")
  readSync(file, head)
  closeSync(file)
  const isElf = target.format === "elf"
  const magic = isElf ? head.readUInt32BE(0) : head.readUInt32LE(0)
  const machine = isElf ? head.readUInt16LE(18) : head.readUInt32LE(4)
  const machines = isElf ? ELF_MACHINES : MACH_O_MACHINES
  const linked = target.linker === null || head.includes(target.linker)
  if (magic !== (isElf ? ELF_MAGIC : MACH_O_MAGIC) || machine !== machines[target.machine]) {
    throw new Error(`is no ${target.format} file for ${target.machine}`)
  }
  if (!linked) throw new Error(`is not linked by ${target.linker}`)
  if (!isElf && !isSigned(readFileSync(path))) throw new Error("has a false signature")
  return [target.format, target.machine, target.linker ?? "signed"].join(" ")
}
