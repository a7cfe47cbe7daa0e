/** bunlb and its backends as processes of their own, and what a test asks of them. Use `await using`. */
import type { FleetStatus, WorkerStatus } from "../../src/master/figures/status.ts"
import { BunlbProcess, spawnBunlb, type SpawnOptions } from "../support/processes.ts"
import { PATIENCE_MS, until } from "../support/until.ts"

const START_MS = 15_000
const place = ["-h", "127.0.0.1", "-p", "0", "--admin", "127.0.0.1:0", "--no-pin"]

/** As is the default on Linux, so that the same is tested everywhere. */
const processes = process.platform === "linux" ? {} : { BUNLB_MODE: "mp" }

export class RunningBunlb implements AsyncDisposable {
  readonly #followers: number[] = []

  private constructor(
    readonly process: BunlbProcess,
    /** Of the last listener that has one. */
    readonly port: number,
    readonly adminPort: number,
  ) {}

  /** `flags` come after those that every test needs: free ports of 127.0.0.1. */
  static async start(
    backends: readonly { readonly port: number }[],
    flags: readonly string[] = [],
    options: SpawnOptions = {},
  ): Promise<RunningBunlb> {
    const list = backends.flatMap(({ port }) => ["-b", `127.0.0.1:${port}`])
    const env = { ...processes, ...options.env }
    return await this.of(spawnBunlb([...place, ...list, ...flags], { ...options, env }))
  }

  /** With everything that it needs in a file, which may change. */
  static async fromFile(file: string, flags: readonly string[] = []): Promise<RunningBunlb> {
    return await this.of(spawnBunlb(["-c", file, ...flags], { env: processes }))
  }

  /** One that has been started and is to serve soon. */
  static async of(bunlb: BunlbProcess): Promise<RunningBunlb> {
    const [, place = "", admin] = await bunlb.line(/(.*) -> .* admin http:\S+:(\d+)$/, START_MS)
    const port = /.*:(\d+)/.exec(place)?.[1]
    return new RunningBunlb(bunlb, Number(port), Number(admin))
  }

  /** Has another follow this one; its PID. Fails with what is answered when it does not. */
  async upgrade(): Promise<number> {
    const url = `http://127.0.0.1:${this.adminPort}/api/v1/upgrade`
    const text = await (await fetch(url, { method: "POST" })).text()
    const pid = Number(/ serves, PID (\d+)"/.exec(text)?.[1])
    if (!(pid > 0)) throw new Error(text)
    this.follow(pid)
    return pid
  }

  /** A process that has taken over and ends with the test. */
  follow(pid: number): void {
    this.#followers.push(pid)
  }

  async status(): Promise<FleetStatus> {
    const response = await fetch(`http://127.0.0.1:${this.adminPort}/api/v1/status`)
    return (await response.json()) as FleetStatus
  }

  async worker(index: number): Promise<WorkerStatus> {
    const worker = (await this.status()).workers[index]
    if (worker === undefined) throw new Error(`there is no worker ${index}`)
    return worker
  }

  async workerPids(): Promise<number[]> {
    return (await this.status()).workers.flatMap(({ pid }) => (pid === null ? [] : [pid]))
  }

  /** The sum of a family's series whose labels contain `label`. */
  async figure(family: string, label = ""): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${this.adminPort}/metrics`)).text()
    return text
      .split("\n")
      .filter((line) => line.startsWith(`${family}{`) || line.startsWith(`${family} `))
      .filter((line) => line.includes(label))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0)
  }

  /** Waits for what all workers together say of a backend. */
  async backendIs(port: number, state: string, ms: number = PATIENCE_MS): Promise<void> {
    const name = `127.0.0.1:${port}`
    const reached = async (): Promise<boolean> =>
      (await this.status()).backends.some((each) => each.name === name && each.state === state)
    await until(reached, ms, `backend ${name} to be ${state}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pid of this.#followers) kill(pid)
    await this.process[Symbol.asyncDispose]()
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL")
  } catch {
    // It has ended by itself.
  }
}

/** `bunlb backend`, which can be killed, frozen, and started again at its port. */
export class RunningBackend implements AsyncDisposable {
  #process: BunlbProcess

  private constructor(
    readonly name: string,
    readonly port: number,
    process: BunlbProcess,
  ) {
    this.#process = process
  }

  static async start(name: string): Promise<RunningBackend> {
    const { process, port } = await spawnBackend(name, 0)
    return new RunningBackend(name, port, process)
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  async kill(): Promise<void> {
    this.#process.kill("SIGKILL")
    await this.#process.exited()
  }

  async startAgain(): Promise<void> {
    this.#process = (await spawnBackend(this.name, this.port)).process
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]()
  }
}

async function spawnBackend(
  name: string,
  port: number,
): Promise<{ process: BunlbProcess; port: number }> {
  const process = spawnBunlb(["backend", "-p", `${port}`, "--name", name])
  const [, bound] = await process.line(/ listening on http:\/\/127\.0\.0\.1:(\d+)$/, START_MS)
  return { process, port: Number(bound) }
}
