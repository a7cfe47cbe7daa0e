/** A program with the fleet and stand-in workers: what `fleet.test.ts` starts as real processes. */
import type { Settings } from "../../src/config/schema/settings.ts"
import type { FleetLimits } from "../../src/master/supervise/watch-limits.ts"
import { runFleet } from "../../src/service/run.ts"
import { isWorkerProcess, runWorkerProcess } from "../../src/master/supervise/worker-process.ts"
import { BunlbError } from "../../src/core/errors.ts"
import { startStandIn } from "./stand-in-worker.ts"

if (isWorkerProcess()) runWorkerProcess(startStandIn)
else process.exit(await main())

async function main(): Promise<number> {
  const settings = JSON.parse(process.env["TEST_SETTINGS"] ?? "") as Settings
  const limits = JSON.parse(process.env["TEST_LIMITS"] ?? "{}") as Partial<FleetLimits>
  const say = (level: string) => (line: string) => console.error(`${level} ${line}`)
  const log = {
    error: say("error"),
    warn: say("warn"),
    info: say("info"),
    debug: say("debug"),
    debugging: true,
  }
  try {
    return await runFleet(settings, log, { limits, startWorker: startStandIn })
  } catch (error) {
    if (!(error instanceof BunlbError)) throw error
    console.error(`${error.code} ${error.message}`)
    return error.exitCode
  }
}
