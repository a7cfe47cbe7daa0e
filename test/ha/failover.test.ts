/**
 * High availability with real keepalived in network namespaces: a balancer that is killed or that hangs loses the
 * address to the other one. Only that it works, on however busy a machine; how fast is measured by `bun run ha`.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { find } from "../matrix/programs.ts"
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
    pair = await Pair.start()
  }, LIMIT_MS)

  afterAll(() => pair[Symbol.asyncDispose]())

  test.each([killed, hungAll])(
    "$name",
    async (scenario) => {
      const [before] = await pair.roles()
      const { outage, requests } = await scenario.run(pair)
      expect(outage).toBeLessThan(BUSY_MACHINE_MS)
      expect(requests).toBeGreaterThan(50)
      const [after] = await pair.roles()
      expect(after.name).not.toBe(before.name)
    },
    LIMIT_MS,
  )
})
