/**
 * Where a live view is drawn: the whole of a terminal, on its other page, so that what stood there comes back; or,
 * where there is no terminal, one page after the other as plain text. A frame is one write that draws over the one
 * before and clears only what is left of it, so that nothing flickers.
 */
import { writeSync } from "node:fs"
import { hasColour } from "../observe/colour.ts"
import { stopSignal } from "./stop-signal.ts"

export type Tone = "plain" | "title" | "head" | "warn" | "bad" | "faint"

export interface Line {
  readonly text: string
  readonly tone: Tone
}

export interface Screen {
  draw(lines: readonly Line[]): void
  /** Resolves when whoever looks has had enough. */
  readonly closed: Promise<void>
  /** Gives back what was taken. */
  close(): void
}

/** The ways in and out, so that a test can hold them. */
export interface ScreenPorts {
  readonly terminal: boolean
  readonly colours: boolean
  size(): { readonly columns: number; readonly rows: number }
  /** False when nobody reads any more. */
  write(text: string): boolean
  /** Calls back with each key, until the returned function is called. */
  onKeys(heard: (key: string) => void): () => void
  /** Resolves when a signal asks for the end. */
  readonly signalled: Promise<void>
}

const tones: Readonly<Record<Tone, string>> = {
  ...{ plain: "", title: "\x1b[1m", head: "\x1b[7m" },
  ...{ warn: "\x1b[33m", bad: "\x1b[31m", faint: "\x1b[2m" },
}
const ENTER = "\x1b[?1049h\x1b[?25l"
const LEAVE = "\x1b[?25h\x1b[?1049l"
/** Terminals that know it show the frame at once; others ignore it. */
const BEGIN_FRAME = "\x1b[?2026h\x1b[H"
const END_FRAME = "\x1b[J\x1b[?2026l"
const enough = ["q", "Q", "\x03", "\x04", "\x1b"]

export function openScreen(ports: ScreenPorts = processPorts()): Screen {
  return ports.terminal ? openTerminal(ports) : openPaper(ports)
}

function openTerminal(ports: ScreenPorts): Screen {
  const { promise, resolve } = Promise.withResolvers<void>()
  const deafen = ports.onKeys((key) => {
    if (enough.includes(key)) resolve()
  })
  void ports.signalled.then(resolve)
  ports.write(ENTER)
  const draw = (lines: readonly Line[]): void => {
    const { columns, rows } = ports.size()
    const shown = lines.slice(0, rows).map((line) => `${frameLine(line, columns, ports)}\x1b[K`)
    if (!ports.write(`${BEGIN_FRAME}${shown.join("\r\n")}${END_FRAME}`)) resolve()
  }
  const close = (): void => {
    deafen()
    ports.write(LEAVE)
  }
  return { draw, closed: promise, close }
}

/** A title is as wide as the screen; the rest as it is. */
function frameLine({ text, tone }: Line, columns: number, ports: ScreenPorts): string {
  const clipped = printable(text).slice(0, columns)
  return toned(tone === "head" ? clipped.padEnd(columns) : clipped, tone, ports)
}

function toned(text: string, tone: Tone, { colours }: ScreenPorts): string {
  return !colours || tones[tone] === "" ? text : `${tones[tone]}${text}\x1b[0m`
}

function openPaper(ports: ScreenPorts): Screen {
  const { promise, resolve } = Promise.withResolvers<void>()
  void ports.signalled.then(resolve)
  const draw = (lines: readonly Line[]): void => {
    const page = lines.map(({ text, tone }) => toned(printable(text), tone, ports)).join("\n")
    if (!ports.write(`${page}\n\n`)) resolve()
  }
  return { draw, closed: promise, close: () => {} }
}

/** What another program has said must not steer this terminal. */
function printable(text: string): string {
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, "?")
}

function processPorts(): ScreenPorts {
  return {
    terminal: process.stdout.isTTY === true && process.env["TERM"] !== "dumb",
    colours: hasColour(process.env, process.stdout.isTTY === true),
    size: () => ({ columns: process.stdout.columns ?? 80, rows: process.stdout.rows ?? 24 }),
    write: writeAll,
    onKeys: listen,
    signalled: stopSignal(),
  }
}

function writeAll(text: string): boolean {
  let rest: Uint8Array = new TextEncoder().encode(text)
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(1, rest))
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EAGAIN")) return false
      Bun.sleepSync(1)
    }
  }
  return true
}

/** Keys as they are pressed, when there is a keyboard. */
function listen(heard: (key: string) => void): () => void {
  const { stdin } = process
  if (!stdin.isTTY) return () => {}
  const receive = (bytes: Buffer): void => heard(bytes.toString("latin1"))
  stdin.setRawMode(true)
  stdin.on("data", receive)
  stdin.resume()
  return () => {
    stdin.off("data", receive)
    stdin.setRawMode(false)
    stdin.pause()
  }
}
