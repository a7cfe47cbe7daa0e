/** The site that real clients are sent to: bunlb before its own test backend, and what a client must see of it. */
import { expect } from "bun:test"
import { createHash } from "node:crypto"
import { join } from "node:path"
import { startBackend } from "../../src/demo/backend.ts"
import { patternAt } from "../../src/demo/pattern.ts"
import { TestBalancer } from "../support/balancer.ts"
import { run, scripts } from "./programs.ts"

export const LARGE = 20_000_000
export const hello = "behind says hello\n"
export const largeSha256 = (() => {
  const hash = createHash("sha256")
  for (let at = 0; at < LARGE;) {
    const piece = patternAt(at, LARGE - at)
    hash.update(piece)
    at += piece.length
  }
  return hash.digest("hex")
})()

/** A balancer in front of bunlb's own test backend; gives the port. */
export async function start(): Promise<
  { readonly port: number; readonly balancer: TestBalancer } & Disposable
> {
  const options = { host: "127.0.0.1", port: 0, name: "behind", delay: 0, log: null, tls: false }
  const backend = await startBackend({ ...options, failRate: 0, status: 500 })
  const balancer = await TestBalancer.start([backend.port])
  return { port: balancer.port, balancer, [Symbol.dispose]: () => backend.stop() }
}

/** What a client of ours must have seen that sent `payload`. */
export function seen(payload: string): Record<string, unknown> {
  return {
    get: [200, hello],
    head: [200, "5000", 0],
    missing: 404,
    posted: payload,
    chunked: payload,
    large: largeSha256,
  }
}

/** Runs a client of ours, which says itself what it sent and what it saw. */
export async function seesAll(
  command: (port: number) => readonly string[],
  keeps: boolean,
): Promise<void> {
  using site = await start()
  const { payload, ...facts } = JSON.parse(await run(command(site.port)))
  expect(facts).toEqual(keeps ? { ...seen(payload), kept: true } : seen(payload))
  expect(site.balancer.figure("bunlb_rejected_requests_total")).toBe(0)
}

export const python = (library: string) => (port: number) => {
  return ["python3", join(scripts, "client.py"), library, `${port}`]
}

export const node = (library: string) => (port: number) => {
  return ["node", join(scripts, "client.mjs"), library, `${port}`]
}
