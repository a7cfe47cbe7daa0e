/** `bunlb status --watch`: what it draws, how it ends, and that it lives in a real terminal and without one. */
import { expect, test } from "bun:test"
import { startAdmin } from "../../src/admin/server.ts"
import { openScreen } from "../../src/cli/screen.ts"
import type { Line, ScreenPorts } from "../../src/cli/screen.ts"
import { livePage, watch } from "../../src/cli/watch.ts"
import { BunlbError } from "../../src/core/errors.ts"
import { backend, rates, sourceOf } from "../browser/picture.ts"
import type { Picture } from "../browser/picture.ts"
import { spawnBunlb } from "../support/processes.ts"
import { PATIENCE_MS, until } from "../support/until.ts"
import { bunlb } from "./fake-terminal.ts"
import { inTerminals } from "../support/pty.ts"

const CLEAR = "\x1b[K"

function picture(): Picture {
  const down = { state: "down", healthyWorkers: 0, reason: "3 failures, last: timeout" } as const
  const none = { p50: null, p99: null, reuse: null, classes: [0, 0, 0, 0, 0] }
  return {
    backends: [
      [backend("10.0.0.1:80", { since: null, reason: "" }), rates(1_204.4)],
      [backend("10.0.0.2:443", { ...down, tls: true, weight: 3, failures: 7 }), rates(0, none)],
    ],
    journal: [],
  }
}

function texts(lines: readonly Line[]): string[] {
  return lines.map(({ text }) => text)
}

test("a page: the whole, backends, workers; trouble stands out", async () => {
  const { at, ...live } = await sourceOf(picture()).live()
  const lines = livePage({ ...live, at: new Date(2030, 0, 1, 13, 14, 15).getTime() }, "")
  const [title, whole, , head, first, second, , workers] = texts(lines)
  expect(at).toBeGreaterThan(0)
  expect(title).toBe("bunlb 1.2.3, port 8080, up 1h 34m")
  expect(whole).toBe(
    "2,841 requests/s   p50 1.8 ms   p99 14 ms   12 errors/s   248 clients   42 in flight",
  )
  expect(head).toMatch(/^BACKEND +STATE +SINCE +REQ\/S +P50 +P99 +4XX\/S +5XX\/S +ACTIVE/)
  expect(first?.split(/ {2,}/)).toEqual([
    ...[
      "10.0.0.1:80",
      "up",
      "-",
      "1,204",
      "1.8 ms",
      "14 ms",
      "24",
      "0",
      "14",
      "57",
      "99%",
      "1",
      "0",
    ],
  ])
  expect(second).toMatch(/^10.0.0.2:443 tls +down .* 0 +- +- .* 3 +7 +3 failures, last: timeout$/)
  expect(workers).toMatch(/^WORKER +PID +STATE/)
  expect(texts(lines).at(-1)).toBe("13:14:15, q ends")
  const tones = lines.map(({ tone }) => tone)
  expect(tones.slice(0, 8)).toEqual([
    ...(["title", "plain", "plain", "head", "plain", "bad", "plain", "head"] as const),
  ])
})

/** A screen whose keys the test presses and whose frames it reads. */
function held(more: Partial<ScreenPorts> = {}) {
  const written: string[] = []
  const signal = Promise.withResolvers<void>()
  let press: (key: string) => void = () => {}
  let listening = false
  const ports: ScreenPorts = {
    ...{ terminal: true, colours: false, size: () => ({ columns: 20, rows: 3 }) },
    write: (text) => written.push(text) > 0,
    onKeys: (heard) => {
      press = heard
      listening = true
      return () => {
        listening = false
      }
    },
    signalled: signal.promise,
    ...more,
  }
  const screen = openScreen(ports)
  return { screen, written, signal, press: (key: string) => press(key), hears: () => listening }
}

const plain = (text: string): Line => ({ text, tone: "plain" })

test("a frame is one write, as wide and as high as the terminal, and steers nothing", () => {
  const { screen, written } = held()
  screen.draw(["one\x1b[2J", "x".repeat(30), "three", "four"].map(plain))
  expect(written).toHaveLength(2)
  expect(written[1]).toBe(
    `\x1b[?2026h\x1b[Hone?[2J${CLEAR}\r\n${"x".repeat(20)}${CLEAR}\r\nthree${CLEAR}\x1b[J\x1b[?2026l`,
  )
  screen.close()
  expect(written.join("")).toStartWith("\x1b[?1049h\x1b[?25l")
  expect(written.join("")).toEndWith("\x1b[?25h\x1b[?1049l")
})

test("colours where they are wanted", () => {
  const { screen, written } = held({ colours: true })
  screen.draw([{ text: "down", tone: "bad" }])
  expect(written[1]).toContain(`\x1b[31mdown\x1b[0m${CLEAR}`)
})

test("q, Escape and Ctrl-C end it, other keys do not, and the keyboard is given back", async () => {
  for (const key of ["q", "Q", "\x1b", "\x03"]) {
    const { screen, press, hears } = held()
    let over = false
    void screen.closed.then(() => {
      over = true
    })
    for (const other of ["x", "\x1b[A", " "]) press(other)
    await Bun.sleep(0)
    expect(over).toBe(false)
    press(key)
    await screen.closed
    expect(hears()).toBe(true)
    screen.close()
    expect(hears()).toBe(false)
  }
})

test("without a terminal: page after page, until a signal or until nobody reads", async () => {
  const paper = held({ terminal: false })
  paper.screen.draw([plain("one"), plain("two")])
  expect(paper.written).toEqual(["one\ntwo\n\n"])
  paper.signal.resolve()
  await paper.screen.closed
  const gone = held({ terminal: false, write: () => false })
  gone.screen.draw([plain("one")])
  await gone.screen.closed
})

test("a bunlb that does not answer is said and waited for; anything else is a fault", async () => {
  const source = sourceOf(picture())
  const { screen, written, press } = held({ size: () => ({ columns: 200, rows: 50 }) })
  let asked = 0
  const ask = async () => {
    if (++asked === 2) throw new BunlbError("BUNLB_E_ADMIN_UNREACHABLE", "admin does not answer")
    if (asked === 4) press("q")
    return source.live()
  }
  await watch(await source.live(), ask, screen, 1)
  const faulty = written.map((frame) => frame.includes("admin does not answer"))
  expect(faulty.slice(0, 5)).toEqual([false, false, false, true, false])
  const broken = watch(
    await source.live(),
    () => Promise.reject(new TypeError("bug")),
    held().screen,
    1,
  )
  expect(broken).rejects.toThrow("bug")
})

inTerminals("the live view")("in a real terminal, with real keys", async () => {
  const admin = await startAdmin({ host: "127.0.0.1", port: 0 }, sourceOf(picture()))
  let seen = ""
  const place = `127.0.0.1:${admin.port}`
  const main = new URL("../../src/main.ts", import.meta.url).pathname
  const executable = process.env["BUNLB_TEST_EXECUTABLE"]
  const program = executable ? [executable] : [process.execPath, main]
  const child = Bun.spawn([...program, "status", "--watch", "--admin", place], {
    terminal: {
      cols: 120,
      rows: 30,
      data: (_terminal, bytes) => void (seen += new TextDecoder().decode(bytes)),
    },
  })
  await until(() => seen.split("2,841 requests/s").length > 2, PATIENCE_MS, "two frames")
  child.terminal?.write("q")
  expect(await child.exited).toBe(0)
  expect(seen).toStartWith("\x1b[?1049h\x1b[?25l")
  expect(seen).toEndWith("\x1b[?25h\x1b[?1049l")
  expect(seen).toContain("10.0.0.2:443 tls")
  await admin.stop()
})

test("through a pipe, until SIGINT", async () => {
  const admin = await startAdmin({ host: "127.0.0.1", port: 0 }, sourceOf(picture()))
  await using piped = spawnBunlb(["status", "--watch", "--admin", `127.0.0.1:${admin.port}`])
  await piped.line(/^bunlb 1\.2\.3, port 8080/)
  await piped.line(/^bunlb 1\.2\.3, port 8080/)
  piped.kill("SIGINT")
  expect(await piped.exited()).toBe(0)
  expect(piped.lines.join("\n")).not.toContain("\x1b")
  await admin.stop()
})

test("a page that is not for a terminal is coloured where colour is forced", () => {
  for (const colours of [true, false]) {
    const paper = held({ terminal: false, colours })
    paper.screen.draw([{ text: "bad", tone: "bad" }, plain("one")])
    expect(paper.written).toEqual([colours ? "\x1b[31mbad\x1b[0m\none\n\n" : "bad\none\n\n"])
  }
})

test("nobody there is an error at once, and --json is something else", async () => {
  const nobody = await bunlb(["status", "--watch", "--admin", "127.0.0.1:1"])
  expect([nobody.code, nobody.complaints]).toEqual([1, expect.stringContaining("does not answer")])
  const both = await bunlb(["status", "--watch", "--json"])
  expect([both.code, both.complaints]).toEqual([2, expect.stringContaining("exclude each other")])
})
