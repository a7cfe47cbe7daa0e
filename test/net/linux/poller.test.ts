/** What the poller tells whom, with pipes in the place of sockets. */
import { expect } from "bun:test"
import { readSync, writeSync } from "node:fs"
import { Kernel, READABLE } from "../../../src/net/linux/kernel.ts"
import { Poller, poller, type Pollable } from "../../../src/net/linux/poller.ts"
import { onLinux } from "../../support/left-out.ts"
import { PATIENCE_MS, until } from "../../support/until.ts"

const test = onLinux("waiting for direct sockets", "epoll(7) is of Linux")

function thePoller() {
  const found = poller()
  if (found === null) throw new Error("no poller here")
  return found
}

/** The end of a pipe that is read. */
class End implements Pollable {
  readonly fd: number
  readonly #into: number

  constructor(readonly ready: () => void) {
    const { kernel } = thePoller()
    const pipe = kernel.pipe(4096)
    if (pipe === null) throw new Error("no pipe")
    this.fd = pipe.out
    this.#into = pipe.into
    thePoller().watch(this, READABLE)
  }

  write(): void {
    writeSync(this.#into, "x")
  }

  crashed(error: Error): void {
    throw error
  }

  close(): void {
    const { kernel } = thePoller()
    thePoller().ignore(this.fd, false)
    kernel.close(this.fd)
    kernel.close(this.#into)
  }
}

test("what is told of a descriptor does not reach who was given its number meanwhile", async () => {
  const told: string[] = []
  let later: End | null = null
  /** Who hears first closes both, and opens one in the place of the other. */
  const heard = (): void => {
    const numbers = ends.map(({ fd }) => fd)
    for (const end of ends) end.close()
    const opened = [new End(() => told.push("later")), new End(() => told.push("last"))]
    told.push(opened.some(({ fd }) => numbers.includes(fd)) ? "same number" : "other number")
    ends.splice(0, 2, ...opened)
    later = opened[0] ?? null
  }
  const ends = [new End(heard), new End(heard)]
  for (const end of ends) end.write()
  await until(() => later, PATIENCE_MS, "the first")
  await Bun.sleep(5)
  expect(told).toEqual(["same number"])
  for (const end of ends) end.write()
  await until(() => told.length > 2, PATIENCE_MS, "what is theirs")
  expect(told.slice(0, 3).toSorted()).toEqual(["last", "later", "same number"])
  for (const end of ends) end.close()
})

/** Refuses what epoll refuses when there is no memory left, until `memory` is there. */
class ShortOfMemory extends Kernel {
  memory = true
  refused = 0

  override watch(epoll: number, fd: number, interest: number): number {
    return this.memory ? super.watch(epoll, fd, interest) : this.#refuse()
  }

  override change(epoll: number, fd: number, interest: number): number {
    return this.memory ? super.change(epoll, fd, interest) : this.#refuse()
  }

  #refuse(): number {
    this.refused++
    return -1
  }
}

test.each([
  ["at the first watch", false],
  ["at a change", true],
] as const)("a descriptor that epoll refuses %s is not deaf", async (_when, memoryAtFirst) => {
  const kernel = new ShortOfMemory()
  const epoll = kernel.createEpoll()
  const own = new Poller(kernel, epoll, -1)
  const pipe = kernel.pipe(4096)
  if (pipe === null) throw new Error("no pipe")
  const byte = new Uint8Array(1)
  let told = 0
  const owner: Pollable = {
    fd: pipe.out,
    ready: () => {
      told++
      readSync(pipe.out, byte)
    },
    crashed: (error) => {
      throw error
    },
  }
  kernel.memory = memoryAtFirst
  own.watch(owner, memoryAtFirst ? 0 : READABLE)
  kernel.memory = false
  if (memoryAtFirst) own.change(owner, READABLE)
  writeSync(pipe.into, "x")
  await until(() => told === 1, PATIENCE_MS, "the byte")
  // As soon as epoll takes it, it is epoll that tells.
  kernel.memory = true
  const refused = kernel.refused
  writeSync(pipe.into, "x")
  await until(() => told === 2, PATIENCE_MS, "the next byte")
  expect(kernel.refused).toBe(refused)
  own.ignore(pipe.out, false)
  for (const fd of [pipe.into, pipe.out, epoll]) kernel.close(fd)
})
