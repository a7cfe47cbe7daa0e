/** The watcher before a stand-in for the admin listener, over real sockets, and the file that it leaves. */
import { afterAll, expect, onTestFinished, test } from "bun:test"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { writeTrackFile } from "../../src/ha/track-file.ts"
import { Watcher } from "../../src/ha/watcher.ts"
import { processClock } from "../../src/core/clock.ts"
import { refusedPort } from "../support/refused-port.ts"
import { PATIENCE_MS, until } from "../support/until.ts"

const folder = mkdtempSync(join(tmpdir(), "bunlb-watcher-"))
afterAll(() => rmSync(folder, { recursive: true }))
let files = 0

/** An admin listener that says what a test wants it to. */
class Admin {
  status = 200
  line = "ok"
  /** Accepts and reads, and never answers. */
  silent = false
  asked = 0
  readonly connections = new Set<Bun.Socket<unknown>>()
  readonly #server: Bun.TCPSocketListener

  constructor(readonly port = 0) {
    this.#server = Bun.listen({
      hostname: "127.0.0.1",
      port,
      socket: {
        open: (socket) => void this.connections.add(socket),
        close: (socket) => void this.connections.delete(socket),
        data: (socket, bytes) => this.#answer(socket, bytes.toString()),
      },
    })
    this.port = this.#server.port
    onTestFinished(() => this.stop())
  }

  #answer(socket: Bun.Socket<unknown>, request: string): void {
    expect(request).toStartWith("GET /health/workers HTTP/1.1\r\n")
    this.asked++
    if (this.silent) return
    const { status, line } = this
    // In pieces: an answer may come as it likes.
    socket.write(`HTTP/1.1 ${status} Whatever\r\nContent-Length: ${line.length + 1}\r\n`)
    setImmediate(() => {
      socket.write(`\r\n${line.slice(0, 1)}`)
      setImmediate(() => socket.write(`${line.slice(1)}\n`))
    })
  }

  stop(): void {
    this.#server.stop(true)
  }
}

function watch(
  admin: number | { readonly path: string },
  port: number | null = null,
  needBackend = false,
) {
  const file = join(folder, `${++files}`, "fault")
  const lines: string[] = []
  const line = (text: string): void => void lines.push(text)
  const watcher = new Watcher({
    trackFile: file,
    places: {
      admin: typeof admin === "number" ? { host: "127.0.0.1", port: admin } : admin,
      ports: port === null ? [] : [{ host: "127.0.0.1", port }],
    },
    ...{ intervalMs: 10, deadlineMs: 300, riseMs: 60, needBackend, clock: processClock },
    log: { error: line, warn: line, info: line, debug: () => {}, debugging: false },
  })
  onTestFinished(() => watcher.stop())
  const says = (): string => readFileSync(file, "utf8")
  const becomes = (text: string): Promise<boolean> =>
    until(() => says() === text, PATIENCE_MS, `the file to say ${text}`)
  expect(says()).toBe("1\n")
  watcher.start()
  return { watcher, lines, says, becomes, file }
}

test("well after the rise, on one connection; fault again when it ends itself", async () => {
  const admin = new Admin()
  const { watcher, lines, says, becomes, file } = watch(admin.port)
  await becomes("0\n")
  const { asked } = admin
  await until(() => admin.asked > asked + 5, PATIENCE_MS, "more questions")
  expect(admin.connections.size).toBe(1)
  watcher.stop()
  expect(says()).toBe("1\n")
  expect(lines).toEqual([
    `watches 127.0.0.1:${admin.port} every 10 ms; ${file} says 1 for now`,
    expect.stringMatching(/^well after \d\.\d s: .* says 0$/),
    `ends: ${file} says 1 (fault)`,
  ])
})

test("what the listener says, in the log and in the file, and back", async () => {
  const admin = new Admin()
  const { lines, becomes } = watch(admin.port)
  await becomes("0\n")
  admin.status = 503
  admin.line = "no worker answers"
  await becomes("1\n")
  expect(lines.at(-1)).toMatch(/^no worker answers, after .* says 1 \(fault\)$/)
  admin.status = 200
  await becomes("0\n")
})

test("that no backend is healthy is no fault, unless it is wanted", async () => {
  const admin = new Admin()
  admin.status = 503
  admin.line = "no backend is healthy"
  const { becomes } = watch(admin.port)
  const strict = watch(admin.port, null, true)
  await becomes("0\n")
  await until(() => strict.lines.length > 1, PATIENCE_MS, "a line of the strict one")
  expect(strict.lines[1]).toBe("still a fault: no backend is healthy")
  expect(strict.says()).toBe("1\n")
})

test("a listener that falls silent, and one that never said anything", async () => {
  const admin = new Admin()
  const { lines, becomes } = watch(admin.port)
  await becomes("0\n")
  admin.silent = true
  await becomes("1\n")
  expect(lines.at(-1)).toStartWith("no answer for 300 ms, after")
  admin.silent = false
  await becomes("0\n")
})

test("nobody listens: a fault long before the deadline", async () => {
  const admin = new Admin()
  const clients = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
  const { lines, becomes } = watch(admin.port, clients.port)
  await becomes("0\n")
  clients.stop(true)
  admin.stop()
  await becomes("1\n")
  expect(lines.at(-1)).toStartWith("nobody listens, after")
})

test("an admin listener that moves to another process is no fault", async () => {
  const admin = new Admin()
  const { lines, becomes, says } = watch(admin.port)
  await becomes("0\n")
  admin.stop()
  const next = new Admin(admin.port)
  await until(() => next.asked > 5, PATIENCE_MS, "questions to the new one")
  expect(says()).toBe("0\n")
  expect(lines).toHaveLength(2)
})

test("draining is believed only when a new connection says so too", async () => {
  const admin = new Admin()
  const { becomes } = watch(admin.port)
  await becomes("0\n")
  const [first] = admin.connections
  admin.status = 503
  admin.line = "draining"
  await becomes("1\n")
  const [second] = admin.connections
  expect(second === first).toBe(false)
})

test("the port of clients alone refuses", async () => {
  const admin = new Admin()
  const { lines, says } = watch(admin.port, refusedPort())
  await until(() => lines.length > 1, PATIENCE_MS, "the port to be missed")
  expect(lines[1]).toBe("still a fault: nobody listens on the port of clients")
  expect(says()).toBe("1\n")
})

test("the file is written in place and never longer than a digit", () => {
  const file = join(folder, "long")
  Bun.spawnSync(["sh", "-c", `echo 1000000 > ${file}`])
  writeTrackFile(file, false)
  expect(readFileSync(file, "utf8")).toBe("0\n")
  writeTrackFile(file, true)
  expect(readFileSync(file, "utf8")).toBe("1\n")
})

test("a file that cannot be written is told at the start", () => {
  writeTrackFile(join(folder, "short"), true)
  const place = join(folder, "short", "below", "fault")
  expect(() => writeTrackFile(place, true)).toThrow(
    `track file ${place}: cannot be written: a part of the path is no folder; choose another with --track-file`,
  )
})

test("an admin listener on a unix socket, and its end", async () => {
  const path = join(folder, "admin.sock")
  const line = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"
  const admin = Bun.listen({ unix: path, socket: { data: (socket) => void socket.write(line) } })
  const clients = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
  const { lines, becomes } = watch({ path }, clients.port)
  await becomes("0\n")
  clients.stop(true)
  admin.stop(true)
  rmSync(path, { force: true })
  await becomes("1\n")
  expect(lines.at(-1)).toStartWith("nobody listens, after")
})

test("a bunlb that moves is found before it leaves, and watched where it is", async () => {
  const old = new Admin()
  const { watcher, lines, says, becomes } = watch(old.port)
  await becomes("0\n")
  const port = refusedPort()
  const next = { admin: { host: "127.0.0.1", port }, ports: [] }
  watcher.follow(next)
  await until(() => lines.at(-1)?.startsWith("looks for bunlb at") ?? false, PATIENCE_MS, "a look")
  const asked = old.asked
  await until(() => old.asked > asked + 5, PATIENCE_MS, "questions at the old place")
  const moved = new Admin(port)
  await until(() => moved.asked > 3, PATIENCE_MS, "questions at the new place")
  expect(lines.at(-1)).toBe(`watches 127.0.0.1:${port} from now on`)
  old.stop()
  moved.line = "no worker answers"
  moved.status = 503
  await becomes("1\n")
  moved.status = 200
  await becomes("0\n")
  expect(lines.filter((line) => line.includes("says 1 (fault)"))).toHaveLength(1)
  watcher.follow(next)
  expect(says()).toBe("0\n")
})

test("one that was to move and has not is watched where it is", async () => {
  const admin = new Admin()
  const { watcher, lines, becomes } = watch(admin.port)
  await becomes("0\n")
  watcher.follow({ admin: { host: "127.0.0.1", port: refusedPort() }, ports: [] })
  admin.status = 503
  await becomes("1\n")
  admin.status = 200
  watcher.follow({ admin: { host: "127.0.0.1", port: admin.port }, ports: [] })
  await becomes("0\n")
  expect(lines.some((line) => line.includes("from now on"))).toBeFalse()
})
