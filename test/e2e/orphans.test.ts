/** Children that bunlb never started are waited for when they end, and its own are left to Bun. */
import { expect, setDefaultTimeout, test } from "bun:test"
import { readFileSync } from "node:fs"
import { isLeftOut, isLinux } from "../support/left-out.ts"
import { sideBySide } from "../support/side-by-side.ts"
import { until } from "../support/until.ts"
import { RunningBackend, RunningBunlb } from "./running-bunlb.ts"

setDefaultTimeout(40_000)

const inherits = ["sh", "-c", 'sleep 1 & exec "$@"', "sh"]
const asFirst = ["unshare", "-fp", "--mount-proc", "--kill-child"]
const orphaned = [...asFirst, "sh", "-c", '(sleep 1 &); exec "$@"', "sh"]

const isRoot = process.getuid?.() === 0
const cannotUnshare = isLeftOut("bunlb as PID 1", isLinux && isRoot, "needs Linux and root")
const notLinux = isLeftOut("children that bunlb never started", isLinux, "needs /proc")

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim()
  return text === "" ? [] : text.split(/\s+/).map(Number)
}

const isZombie = (pid: number): boolean =>
  / Z /.test(readFileSync(`/proc/${pid}/stat`, "latin1").replace(/^.*\)/s, ""))

async function isReaped(behind: readonly string[], depth: number): Promise<void> {
  await using backend = await RunningBackend.start("one")
  await using bunlb = await RunningBunlb.start([backend], ["-w", "1"], { behind })
  let { pid } = bunlb.process
  for (let i = 0; i < depth; i++) pid = childrenOf(pid)[0] ?? 0
  await until(() => childrenOf(pid).some(isZombie), 10_000, "a dead child")
  await until(() => childrenOf(pid).length === 1, 20_000, "the worker alone")
  const [worker = 0] = childrenOf(pid)
  process.kill(worker, "SIGKILL")
  await bunlb.process.line(/was killed by SIGKILL/)
  await until(async () => (await bunlb.worker(0)).state === "serving", 10_000, "the next worker")
  expect(childrenOf(pid)).not.toContain(worker)
}

sideBySide(test.skipIf(notLinux))("a background job of the start script", async () => {
  await isReaped(inherits, 0)
})

sideBySide(test.skipIf(cannotUnshare))("an orphan, as PID 1", async () => {
  await isReaped(orphaned, 1)
})
