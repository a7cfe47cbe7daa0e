/**
 * The real programs that the matrix runs against bunlb. What this machine does not have is named on stderr, one line
 * each, and its tests count as skipped: nothing is left out in silence.
 */
import { test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Subprocess } from "bun"
import { atEnd } from "../support/at-end.ts"
import { until } from "../support/until.ts"

const RUN_MS = 15_000
const START_MS = 10_000

type TestFunction = (name: string, body: () => Promise<void>, limit?: number) => void

export const scripts = join(import.meta.dir, "scripts")

/** Where programs may lie besides PATH: servers are not for everyone. */
const path = `${process.env["PATH"] ?? ""}:/usr/sbin:/usr/local/sbin`

export function find(program: string): string | null {
  return Bun.which(program, { PATH: path })
}

/** `test`, or `test.skip` and a line on stderr when one of the programs is missing. */
export function testWith(...programs: string[]): TestFunction {
  return testIf(
    programs.filter((program) => find(program) === null).map((name) => `${name} is not installed`),
  )
}

/** The same for what only a command can tell, such as a package of Python. */
export function testWhere(command: readonly string[], otherwise: string): TestFunction {
  const [program = "", ...words] = command
  const found = find(program)
  if (found === null) return testIf([otherwise])
  const { success } = Bun.spawnSync([found, ...words], { stdio: ["ignore", "ignore", "ignore"] })
  return testIf(success ? [] : [otherwise])
}

function testIf(reasons: readonly string[]): TestFunction {
  for (const reason of reasons) console.error(`not run: ${reason}`)
  return reasons.length === 0 ? test : test.skip
}

/** Runs a program to its end and gives what it said; fails when it fails. */
export async function run(
  command: readonly string[],
  stdin: Uint8Array | string = "",
): Promise<string> {
  const [program = "", ...rest] = command
  const child = Bun.spawn([find(program) ?? program, ...rest], {
    stdio: [Buffer.from(stdin), "pipe", "pipe"],
    env: { ...process.env, NODE_OPTIONS: "", NO_COLOR: "1" },
    timeout: RUN_MS,
    killSignal: "SIGKILL",
  })
  const [said, complained, code] = await Promise.all([
    child.stdout.text(),
    child.stderr.text(),
    child.exited,
  ])
  if (code !== 0) throw new Error(`${command.join(" ")}: exit ${code}\n${said}${complained}`)
  return said
}

const running = new Set<Subprocess>()
atEnd(() => {
  for (const child of running) child.kill("SIGKILL")
})

/** A server in a folder of its own. Use `await using`. */
export class Server implements AsyncDisposable {
  readonly #child: Subprocess
  readonly #folder: string

  private constructor(
    child: Subprocess,
    folder: string,
    readonly port: number,
  ) {
    this.#child = child
    this.#folder = folder
  }

  /** `command` is made for a free port and an empty folder; the server is ready when it answers `page`. */
  static async start(
    command: (port: number, folder: string) => readonly string[],
    page: string = "/small",
  ): Promise<Server> {
    const folder = mkdtempSync(join(tmpdir(), "bunlb-matrix-"))
    const port = refusedPort()
    const [program = "", ...rest] = command(port, folder)
    const child = Bun.spawn([find(program) ?? program, ...rest], {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder, HOME: folder },
    })
    running.add(child)
    const server = new Server(child, folder, port)
    const ready = (): Promise<boolean> => {
      if (child.exitCode !== null) throw new Error(`${program} ended at its start`)
      return answers(port, page)
    }
    try {
      await until(ready, START_MS, `${program} to answer`)
    } catch (error) {
      await server[Symbol.asyncDispose]()
      throw new Error(`${String(error)}\n${await child.stderr.text()}`)
    }
    return server
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM")
    const late = setTimeout(() => this.#child.kill("SIGKILL"), 2_000)
    await this.#child.exited
    clearTimeout(late)
    running.delete(this.#child)
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

function refusedPort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
  const { port } = listener
  listener.stop(true)
  return port
}

/** Not just a listening port: Apache opens its own once on trial. */
async function answers(port: number, page: string): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}${page}`, { keepalive: false })
    await response.arrayBuffer()
    return response.ok
  } catch {
    return false
  }
}
