/** Figures of several workers as one, by the rule of each family. */
import { expect, test } from "bun:test"
import { addLive, addRetired } from "../../../src/master/figures/merge.ts"
import { families } from "../../../src/observe/families.ts"
import type { Samples } from "../../../src/observe/snapshot.ts"

const rules = ["sum", "max", "worker", "fleet"] as const

test.each(rules)("merge: %s", (rule) => {
  const family = families.find(({ merge, kind }) => merge === rule && kind !== "histogram")
  if (family === undefined) throw new Error(`no family is merged by ${rule}`)
  const { name, kind } = family
  const total: Samples = {}
  addLive(total, { index: 0, samples: { [name]: { "": 5, 'a="b"': 1 } } })
  addLive(total, { index: 1, samples: { [name]: { "": 3 } } })
  addRetired(total, { index: 2, samples: { [name]: { "": 7 } } })
  const dead = kind === "gauge" ? 0 : 7
  const expected: Record<typeof rule, Record<string, number> | undefined> = {
    sum: { "": 8 + dead, 'a="b"': 1 },
    max: { "": Math.max(5, dead), 'a="b"': 1 },
    worker: {
      'worker="0"': 5,
      'a="b",worker="0"': 1,
      'worker="1"': 3,
      'worker="2"': dead,
    },
    fleet: undefined,
  }
  expect<unknown>(total[name]).toEqual(expected[rule])
})

test("the parts of a histogram are summed, unknown samples are left out", () => {
  const histogram = families.find(({ kind, merge }) => kind === "histogram" && merge === "sum")
  if (histogram === undefined) throw new Error("no histogram is summed")
  const name = `${histogram.name}_count`
  const total: Samples = {}
  addLive(total, { index: 0, samples: { [name]: { "": 2 }, bunlb_unheard_of: { "": 1 } } })
  addRetired(total, { index: 1, samples: { [name]: { "": 3 } } })
  expect(total).toEqual({ [name]: { "": 5 } })
})
