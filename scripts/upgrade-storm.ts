/**
 * The proof that an upgrade drops nothing, at full length: `bun scripts/upgrade-storm.ts [UPGRADES [SECONDS]]`, 10 in
 * 20 s unless told otherwise, each with other workers and another master. With BUNLB_TEST_EXECUTABLE it is the
 * executable of that name that follows itself. Exit code 1 when anything failed.
 */
import { upgradeStorm } from "../test/e2e/upgrade-storm.ts"

const [upgrades = 10, seconds = 20] = process.argv.slice(2).map(Number)
const every = (seconds * 1000) / upgrades
const flags = ["-w", "2"]
const outcome = await upgradeStorm({ upgrades, every, clients: 16, pause: 1, flags })
const took = outcome.took.map(Math.round).toSorted((a, b) => a - b)
const ends = outcome.lines.filter((line) => line.endsWith("drained; nothing was cut"))
console.log(
  `${outcome.masters - 1} upgrades in ${seconds} s; each served after ${took.join(", ")} ms`,
)
console.log(`requests on kept connections: ${outcome.kept}`)
console.log(`requests on a new connection each: ${outcome.fresh}`)
console.log(`answers that take half a second: ${outcome.slow}`)
console.log(`looks at the admin listener: ${outcome.looks}`)
console.log(`drains without a cut: ${ends.length} of ${outcome.masters}`)
console.log(`descriptors of the master: ${outcome.descriptors.join(" at first, ")} at last`)
console.log(`failures: ${outcome.failures.length}`)
for (const failure of outcome.failures.slice(0, 10)) console.log(JSON.stringify(failure))

const whole = outcome.masters === upgrades + 1 && ends.length === upgrades + 1
process.exit(whole && outcome.failures.length === 0 ? 0 : 1)
