/** Every kind of value: what it takes, what it refuses and in which words. */
import { describe, expect, test } from "bun:test"
import type { ValueType } from "../../../src/config/schema/setting.ts"
import {
  boolean,
  duration,
  integer,
  list,
  oneOf,
  optional,
  size,
  statusRange,
} from "../../../src/config/schema/value-types.ts"
import { reading } from "../reading.ts"

const HOUR = 3_600_000

function table(name: string, type: ValueType<unknown>, rows: readonly [unknown, unknown][]): void {
  describe(name, () => {
    test.each(rows)("%p", (input, result) => {
      expect(reading(type, input)).toEqual(result)
    })
  })
}

const port = "expected a whole number from 0 to 65535, got "
table("integer", integer(0, 65_535), [
  [8080, 8080],
  ["8080", 8080],
  [" 80 ", 80],
  [0, 0],
  [65_535, 65_535],
  [65_536, `${port}65536`],
  [-1, `${port}-1`],
  ["-1", `${port}"-1"`],
  [1.5, `${port}1.5`],
  ["1e3", `${port}"1e3"`],
  ["0x10", `${port}"0x10"`],
  ["", `${port}""`],
  [null, `${port}null`],
  [true, `${port}true`],
  [[80], `${port}[80]`],
])

const longest = "expected a duration from 1ms to 1h"
const examples = `${longest}, such as 500ms, 5s, 1m or 1h, got `
table("duration", duration(1, HOUR), [
  ["500ms", 500],
  ["5s", 5_000],
  ["1m", 60_000],
  ["1h", HOUR],
  ["1.5s", 1_500],
  ["5", "5 has no unit, write 5ms, 5s, 5m or 5h"],
  [5, "5 has no unit, write 5ms, 5s, 5m or 5h"],
  ["2h", `${longest}, got "2h"`],
  [0, `${longest}, got 0`],
  ["5 s", `${examples}"5 s"`],
  ["5sec", `${examples}"5sec"`],
  ["-5s", `${examples}"-5s"`],
  ["0.0005s", `${examples}"0.0005s"`],
  ["1.5ms", "1.5ms is not a whole number of milliseconds"],
  [null, `${examples}null`],
])

table("duration held in seconds, zero allowed", duration(0, HOUR, 1_000), [
  [0, 0],
  ["0", 0],
  ["1m", 60],
  ["1500ms", "1500ms is not a whole number of seconds"],
])

const sizes = "expected a size from 256 to 1MiB"
table("size", size(256, 1 << 20), [
  ["16KiB", 16_384],
  ["16k", 16_384],
  ["16K", 16_384],
  ["1MiB", 1 << 20],
  ["1m", 1 << 20],
  [512, 512],
  ["512", 512],
  ["512b", 512],
  ["16KB", `${sizes}, such as 16KiB, 64k or 1MiB, got "16KB"`],
  ["1.5k", `${sizes}, such as 16KiB, 64k or 1MiB, got "1.5k"`],
  ["2MiB", `${sizes}, got "2MiB"`],
  [1, `${sizes}, got 1`],
])

table("boolean", boolean, [
  [true, true],
  [false, false],
  ["on", true],
  ["Yes", true],
  ["off", false],
  ["no", false],
  ["maybe", 'expected true or false, got "maybe"'],
  [null, "expected true or false, got null"],
])

table("choice", oneOf(["round_robin", "random", "weighted"], { rr: "round_robin" }), [
  ["round_robin", "round_robin"],
  ["round-robin", "round_robin"],
  ["RANDOM", "random"],
  ["rr", "round_robin"],
  ["best", 'expected round_robin, random or weighted, got "best"'],
  ["toString", 'expected round_robin, random or weighted, got "toString"'],
  [1, "expected round_robin, random or weighted, got 1"],
])

const status = "expected a status such as 200, 2xx or 200-399, got "
table("status", statusRange, [
  [204, [204, 204]],
  ["2xx", [200, 299]],
  ["200-399", [200, 399]],
  ["399-200", "399-200 ends before it begins"],
  ["600", `${status}"600"`],
  ["ok", `${status}"ok"`],
])

const digit = "expected a whole number from 0 to 9, got "
table("list", list(integer(0, 9), 3), [
  ["1,2", [1, 2]],
  [
    ["1,2", 3],
    [1, 2, 3],
  ],
  [[1, "x", 10], `[1]: ${digit}"x"\n[2]: ${digit}10`],
  ["1,2,3,4", "expected at most 3 entries, got 4"],
])

test("an optional value is null when it is null or empty", () => {
  const type = optional(integer(1, 9), "none")
  expect([type.read(null, () => undefined), type.read("", () => undefined)]).toEqual([null, null])
  expect(reading(type, "x")).toBe('expected a whole number from 1 to 9, got "x"')
})

test("what is written is read back as the same value", () => {
  const limit = duration(0, 168 * HOUR)
  for (const value of [0, 1, 999, 1_000, 1_500, 60_000, 90_000, HOUR, 25 * HOUR]) {
    expect(limit.read(limit.format(value), () => undefined)).toBe(value)
  }
  const bytes = size(0, 1 << 30)
  for (const value of [0, 1, 1_000, 1_024, 1_536, 65_536, 1 << 20, 3 << 20]) {
    expect(bytes.read(bytes.format(value), () => undefined)).toBe(value)
  }
})
