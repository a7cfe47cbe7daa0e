/** How the log tells that a worker ended. */
import { expect, test } from "bun:test"
import { BunlbError } from "../../../src/core/errors.ts"
import { explainDeath, restartStory } from "../../../src/master/supervise/death.ts"

const exited = { code: 3, signal: null, cpuSeconds: 0 }
const killed = { code: null, signal: "SIGKILL", cpuSeconds: 0 } as const
const failure = new BunlbError("BUNLB_E_RUNTIME", "no memory")

test("the first cause that is known counts", () => {
  expect(explainDeath(exited, null, null)).toEqual({
    reason: "exited",
    story: "exited with code 3",
  })
  expect(explainDeath(killed, null, null)).toEqual({
    reason: "killed",
    story: "was killed by SIGKILL",
  })
  // The master kills a worker that hangs, so its signal is not the cause.
  expect(explainDeath(killed, null, 5_000)).toEqual({
    reason: "hung",
    story: "hung, silent for 5 s, and was killed",
  })
  expect(explainDeath(exited, failure, null)).toEqual({
    reason: "failed",
    story: "failed (no memory)",
  })
})

test("the line says when the next worker starts", () => {
  expect([null, 0, 250].map(restartStory)).toEqual([
    "",
    "; starting it again",
    "; starting it again in 250 ms",
  ])
})
