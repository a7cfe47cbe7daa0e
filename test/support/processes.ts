/**
 * The real program as a test starts it: from source, or the built executable that BUNLB_TEST_EXECUTABLE names.
 * Its lines are collected as they come. Whatever a test leaves running is killed when the test run ends.
 */
import { join, resolve } from "node:path"
import type { Subprocess } from "bun"
import { atEnd } from "./at-end.ts"
import { PATIENCE_MS } from "./until.ts"

const root = join(import.meta.dir, "..", "..")
const living = new Set<BunlbProcess>()
atEnd(() => {
  for (const each of living) each.kill("SIGKILL")
})

export interface SpawnOptions {
  /** Path of an executable to run instead. */
  readonly executable?: string
  /** Words before it, of a program that becomes it: `setpriv ...`. */
  readonly behind?: readonly string[]
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly cwd?: string
}

/** Use `await using`: the process is killed when the scope ends. */
export class BunlbProcess implements AsyncDisposable {
  /** Lines of both outputs in the order in which they came. */
  readonly lines: string[] = []
  readonly stdout: string[] = []
  readonly stderr: string[] = []
  readonly #process: Subprocess<"ignore", "pipe", "pipe">
  readonly #read: Promise<unknown>
  #seen = 0
  #news = Promise.withResolvers<void>()
  #over = false

  constructor(command: readonly string[], options: SpawnOptions) {
    this.#process = Bun.spawn([...command], {
      cwd: options.cwd ?? root,
      // Tests read what people read; what machines read has its own.
      env: { ...forBunlb(process.env), NO_COLOR: "1", BUNLB_LOG_FORMAT: "text", ...options.env },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    })
    living.add(this)
    this.#read = Promise.all([
      this.#collect(this.#process.stdout, this.stdout),
      this.#collect(this.#process.stderr, this.stderr),
      this.#process.exited,
    ]).then(() => {
      this.#over = true
      living.delete(this)
      this.#news.resolve()
    })
  }

  get pid(): number {
    return this.#process.pid
  }

  /** The next line that matches, looking on from the last line found; what it captured is in the match. */
  async line(pattern: RegExp, ms: number = PATIENCE_MS): Promise<RegExpExecArray> {
    const late = Bun.sleep(ms).then(() => "late" as const)
    for (;;) {
      const match = this.#look(pattern)
      if (match !== null) return match
      if (this.#over)
        throw new Error(`ended (${this.ending}) without ${pattern}:\n${this.lines.join("\n")}`)
      if ((await Promise.race([this.#news.promise, late])) === "late") {
        throw new Error(`waited ${ms} ms for ${pattern} in:\n${this.lines.join("\n")}`)
      }
    }
  }

  kill(signal: NodeJS.Signals = "SIGTERM"): void {
    this.#process.kill(signal)
  }

  /** Exit code, or the signal that ended it; fails after `ms`. All lines are there when it resolves. */
  async exited(ms: number = PATIENCE_MS): Promise<number | NodeJS.Signals> {
    const late = Bun.sleep(ms).then(() => "late" as const)
    if ((await Promise.race([this.#read, late])) === "late") {
      throw new Error(`still runs after ${ms} ms:\n${this.lines.join("\n")}`)
    }
    return this.ending
  }

  private get ending(): number | NodeJS.Signals {
    return this.#process.signalCode ?? this.#process.exitCode ?? -1
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#over) this.kill("SIGKILL")
    await this.#process.exited
  }

  #look(pattern: RegExp): RegExpExecArray | null {
    while (this.#seen < this.lines.length) {
      const match = pattern.exec(this.lines[this.#seen++] ?? "")
      if (match !== null) return match
    }
    return null
  }

  async #collect(stream: ReadableStream<Uint8Array>, into: string[]): Promise<void> {
    const decoder = new TextDecoder()
    let rest = ""
    for await (const bytes of stream) {
      const parts = (rest + decoder.decode(bytes, { stream: true })).split("\n")
      rest = parts.pop() ?? ""
      this.#add(parts, into)
    }
    if (rest !== "") this.#add([rest], into)
  }

  #add(lines: string[], into: string[]): void {
    into.push(...lines)
    this.lines.push(...lines)
    this.#news.resolve()
    this.#news = Promise.withResolvers<void>()
  }
}

/** Without the variables that are for the tests themselves: bunlb refuses what it does not know. */
export function forBunlb(environment: Readonly<Record<string, string | undefined>>) {
  const ours = /^BUNLB_(TEST_|UPDATE_DOCS$|SCREENSHOTS$|FUZZ_)/
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !ours.test(name)))
}

/** `bunlb ARGS...` as a person would start it. */
export function spawnBunlb(args: readonly string[], options: SpawnOptions = {}): BunlbProcess {
  const command = bunlbCommand(options.executable)
  return new BunlbProcess([...(options.behind ?? []), ...command, ...args], options)
}

/** The words that start bunlb: the built executable where the tests run on it, else the source. */
export function bunlbCommand(
  executable: string | undefined = process.env["BUNLB_TEST_EXECUTABLE"],
): readonly string[] {
  // Named from the root, and some tests start it elsewhere.
  return executable ? [resolve(root, executable)] : [process.execPath, join(root, "src", "main.ts")]
}
