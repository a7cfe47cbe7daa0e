/**
 * `bunlb demo`: two backends and the balancer in front of them, with what to type to see it work and to break it.
 * All on free ports of this machine; ends with Ctrl-C and leaves nothing behind.
 */
import { availableParallelism } from "node:os"
import { defaultSettings } from "../config/resolve.ts"
import { withDefaults } from "../config/schema/pools.ts"
import type { BackendSettings, Settings } from "../config/schema/settings.ts"
import { startFleet } from "../service/run.ts"
import type { Log } from "../core/log.ts"
import { BackendProcess, RETURN_MS } from "./backend-process.ts"

interface DemoOptions {
  /** 0 for any free one. */
  readonly port: number
  readonly log: Log
  /** null for one a CPU, but no more than four. */
  readonly workers: number | null
}

type Fleet = Awaited<ReturnType<typeof startFleet>>

/** Requests that the demo makes itself, so that there is something to see at once. */
const SAMPLES = 4
const MOST_WORKERS = 4
const PROBE_MS = 1000
const DRAIN_MS = 2000

/** Resolves with the exit code when a signal has ended it. */
export async function runDemo({ port, log, workers }: DemoOptions): Promise<number> {
  const signalled = waitForSignal()
  const command = ownCommand()
  const backends = ["backend1", "backend2"].map((name) => new BackendProcess(command, name, log))
  let fleet: Fleet | null = null
  try {
    await Promise.all(backends.map((backend) => backend.start()))
    fleet = await startFleet(demoSettings(port, workers, backends), log)
    console.log(await invitation(fleet, backends))
    await signalled
    for (const backend of backends) backend.release()
  } finally {
    await fleet?.stop()
    await Promise.all(backends.map((backend) => backend.stop()))
  }
  return 0
}

/** Later signals are heard and ignored: a launcher may pass on the Ctrl-C that has already reached us. */
function waitForSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => resolve())
  })
}

/** This program, as an executable of its own or as a script that `bun` runs. */
function ownCommand(): string[] {
  if (Bun.isStandaloneExecutable) return [process.execPath]
  return [process.execPath, ...process.execArgv, Bun.main]
}

function demoSettings(
  port: number,
  workers: number | null,
  backends: readonly BackendProcess[],
): Settings {
  const cpus = availableParallelism()
  const defaults = defaultSettings({ cpus, platform: process.platform })
  return withDefaults({
    ...defaults,
    host: "127.0.0.1",
    port,
    backends: backends.map(settingsOf),
    workers: workers ?? Math.min(cpus, MOST_WORKERS),
    admin: { host: "127.0.0.1", port: 0 },
    health: { ...defaults.health, interval: PROBE_MS, timeout: PROBE_MS },
    timeouts: { ...defaults.timeouts, drain: DRAIN_MS },
  })
}

function settingsOf({ port }: BackendProcess): BackendSettings {
  const host = "127.0.0.1"
  return { name: `${host}:${port}`, host, port, tls: false, weight: 1, backup: false, ca: null }
}

async function invitation(fleet: Fleet, backends: readonly BackendProcess[]): Promise<string> {
  const url = `http://127.0.0.1:${fleet.port}`
  const admin = `http://127.0.0.1:${fleet.adminPort}`
  const victim = backends[0]?.pid
  const places = backends.map(({ name, port, pid }) => `  ${name}  127.0.0.1:${port}  PID ${pid}`)
  const answers: string[] = []
  for (let count = 0; count < SAMPLES; count++) {
    answers.push(`  GET / -> ${(await (await fetch(`${url}/`)).text()).trim()}`)
  }
  const toType: readonly (readonly [string, string])[] = [
    [`curl ${url}/`, "the backends take turns, in each worker"],
    [`curl ${url}/echo`, "what a backend receives"],
    [`curl -N ${url}/stream`, "events as they happen"],
    [`kill -9 ${victim}`, `kill one: nobody notices; back in ${RETURN_MS / 1000} s`],
    [`kill -STOP ${victim}`, `freeze it; kill -CONT ${victim} wakes it`],
    [`${admin}/`, "the dashboard, for a browser"],
    [`curl ${admin}/metrics`, "figures"],
    [`curl ${admin}/health`, "is it well? (and /api/v1/status)"],
  ]
  const width = Math.max(...toType.map(([line]) => line.length))
  const lines = toType.map(([line, meaning]) => `  ${line.padEnd(width)}  ${meaning}`)
  const heading = `\nbunlb balances ${url} over`
  const end = "Changes of health are shown as they happen. Ctrl-C ends everything.\n"
  return [heading, ...places, "", ...answers, "", "Try:", ...lines, "", end].join("\n")
}
