/** What the poller tells whom, with pipes in the place of sockets. */
import { expect } from "bun:test"
import { writeSync } from "node:fs"
import { READABLE } from "../../src/net/kernel.ts"
import { poller, type Pollable } from "../../src/net/poller.ts"
import { onLinux } from "../support/left-out.ts"
import { PATIENCE_MS, until } from "../support/until.ts"

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
