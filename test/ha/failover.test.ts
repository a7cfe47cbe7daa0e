/**
 * High availability with real keepalived in network namespaces: a balancer that is killed or that hangs loses the
 * address to the other one. Only that it works, on however busy a machine; how fast is measured by `bun run ha`.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { find } from "../matrix/programs.ts"
import { watcherEnded } from "./moves.ts"
import { Network } from "./network.ts"
import { Pair } from "./pair.ts"
import { hungAll, killed } from "./scenarios.ts"

const LIMIT_MS = 60_000
/** Where `bun run ha` asks for 300. */
const BUSY_MACHINE_MS = 2_500

const obstacle = find("keepalived") === null ? "keepalived is not installed" : Network.obstacle()
if (obstacle !== null) console.error(`not run: high availability: ${obstacle}`)

describe.skipIf(obstacle !== null)("the address moves", () => {
  let pair: Pair

  beforeAll(async () => {
    pair = await Pair.start({ atOnceMs: BUSY_MACHINE_MS / 2 })
  }, LIMIT_MS)

  afterAll(() => pair[Symbol.asyncDispose]())

  // Where every CPU is taken by others even a bunlb that is well may look hung, and the address move twice.
  const options = { timeout: LIMIT_MS, retry: 2 }
  for (const scenario of [killed, hungAll]) {
    test(
      scenario.name,
      async () => {
        const { outage, requests } = await scenario.run(pair)
        expect(requests).toBeGreaterThan(50)
        expect(outage).toBeLessThan(BUSY_MACHINE_MS)
      },
      options,
    )
  }
})

const noRules = obstacle ?? (find("nft") === null ? "nft is not installed" : null)
if (noRules !== null) console.error(`not run: a move that loses nothing: ${noRules}`)

test.skipIf(noRules !== null)(
  "with --linger a move cuts nothing that is under way",
  async () => {
    await using pair = await Pair.start({ linger: true, atOnceMs: BUSY_MACHINE_MS / 2 })
    const { underWay } = await watcherEnded.run(pair)
    expect(underWay.requests).toBeGreaterThan(100)
    expect(underWay.how).toEqual({})
  },
  { timeout: LIMIT_MS, retry: 2 },
)
