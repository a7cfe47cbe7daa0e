/** Descriptors that go from one process to another. */
import { closeSync, fstatSync, openSync, readSync, writeSync } from "node:fs"
import { expect } from "bun:test"
import {
  closeChannel,
  giveDescriptor,
  openChannel,
  takeDescriptor,
} from "../../../src/net/linux/descriptor-channel.ts"
import { Kernel } from "../../../src/net/linux/kernel.ts"
import { onLinux } from "../../support/left-out.ts"

const test = onLinux("giving descriptors away", "SCM_RIGHTS as Linux has it")

function channel() {
  const ends = openChannel()
  if (ends === null) throw new Error("no channel")
  return ends
}

test("they arrive in their order, each of the same file, and stay the giver's", () => {
  const [near, far] = channel()
  expect(takeDescriptor(far)).toBe(-1)
  const pipe = new Kernel().pipe(4096)
  if (pipe === null) throw new Error("no pipe")
  const file = openSync("/dev/null", "r")
  expect([giveDescriptor(near, pipe.out), giveDescriptor(near, file)]).toEqual([true, true])
  const [out, other] = [takeDescriptor(far), takeDescriptor(far)]
  expect(takeDescriptor(far)).toBe(-1)
  expect(fstatSync(other).ino).toBe(fstatSync(file).ino)
  writeSync(pipe.into, "x")
  const bytes = new Uint8Array(1)
  expect(readSync(out, bytes)).toBe(1)
  for (const fd of [pipe.into, pipe.out, file, out, other]) closeSync(fd)
  closeChannel(near)
  closeChannel(far)
})

test("nothing can be given to an end that is closed, nor what is no descriptor", () => {
  const [near, far] = channel()
  expect(giveDescriptor(near, 999_999)).toBe(false)
  closeChannel(far)
  expect(giveDescriptor(near, near)).toBe(false)
  closeChannel(near)
})

test("a process that was started with an end takes what is given to it later", async () => {
  const [near, far] = channel()
  const script = `
    import { takeDescriptor } from "${import.meta.dir}/../../../src/net/linux/descriptor-channel.ts"
    import { fstatSync } from "node:fs"
    let fd = -1
    while ((fd = takeDescriptor(3)) < 0) await Bun.sleep(1)
    console.log(fstatSync(fd).ino)`
  const program = Bun.spawn([process.execPath, "-e", script], {
    stdio: ["ignore", "pipe", "inherit", far],
  })
  closeChannel(far)
  const file = openSync("/dev/null", "r")
  expect(giveDescriptor(near, file)).toBe(true)
  expect(await program.stdout.text()).toBe(`${fstatSync(file).ino}\n`)
  closeSync(file)
  closeChannel(near)
})
