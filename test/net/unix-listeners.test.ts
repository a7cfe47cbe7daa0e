/** Listening unix sockets and their files. */
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, expect, test } from "bun:test"
import { closeListeners } from "../../src/net/listeners.ts"
import { SocketFile, listenAtPath } from "../../src/net/unix-listeners.ts"

const folder = mkdtempSync(join(tmpdir(), "bunlb-unix-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const connects = (path: string): Promise<boolean> =>
  Bun.connect({ unix: path, socket: { data() {} } }).then(
    (socket) => (socket.terminate(), true),
    () => false,
  )

test("nobody finds it before it is published, nor after it is removed", async () => {
  const path = join(folder, "published")
  const { fd, file } = listenAtPath(path, false)
  expect(existsSync(path)).toBe(false)
  file.permit(0o600)
  file.publish()
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(await connects(path)).toBe(true)
  file.permit(0o666)
  expect(statSync(path).mode & 0o777).toBe(0o666)
  file.remove()
  expect(existsSync(path)).toBe(false)
  closeListeners([fd])
})

test("one in use and a file of another kind are left alone, a dead one is replaced", async () => {
  const path = join(folder, "used")
  const { fd, file } = listenAtPath(path, false)
  file.publish()
  expect(() => listenAtPath(path, false)).toThrow(`${path} is already in use`)
  closeListeners([fd])
  const next = listenAtPath(path, false)
  next.file.publish()
  expect(await connects(path)).toBe(true)
  // Not its own any more.
  file.remove()
  expect(existsSync(path)).toBe(true)
  next.file.remove()
  closeListeners([next.fd])
  writeFileSync(path, "text")
  expect(() => listenAtPath(path, false)).toThrow("a file is there that is not a socket")
})

test("what is given up before it was published leaves nothing, and what was there stays", async () => {
  const path = join(folder, "given-up")
  const first = listenAtPath(path, false)
  first.file.publish()
  const second = listenAtPath(path, true)
  second.file.remove()
  closeListeners([second.fd])
  expect(await connects(path)).toBe(true)
  const follower = new SocketFile(path)
  follower.remove()
  expect(existsSync(path)).toBe(false)
  closeListeners([first.fd])
})

test.each([
  ["/nowhere/at/all", "its folder does not exist"],
  [join(folder, "x".repeat(120)), "cannot listen on"],
])("a path that cannot be: %s", (path, reason) => {
  expect(() => listenAtPath(path, false)).toThrow(reason)
})
