/** Numbers on the dashboard, at the edges where their form changes. */
import { expect, test } from "bun:test"
import {
  age,
  byteRate,
  count,
  finePercent,
  latency,
  percent,
  rate,
} from "../../../src/admin/dashboard/numbers.ts"

test("counts and rates are short", () => {
  expect([0, 7, 9_999, 10_000, 999_949, 1_200_000, 31_000_000].map(count)).toEqual([
    ...["0", "7", "9,999", "10.0k", "999.9k", "1.20M", "31.0M"],
  ])
  expect([0, 0.04, 9.94, 12.4, 2_841].map(rate)).toEqual(["0", "0.0", "9.9", "12", "2,841"])
})

test("latencies have a unit, and none is a dash", () => {
  expect([null, 0.123, 1.84, 14.2, 999, 1_234, 12_345].map(latency)).toEqual([
    ...["–", "0.12 ms", "1.8 ms", "14 ms", "999 ms", "1.2 s", "12 s"],
  ])
})

test("bytes have the largest unit that fits", () => {
  const shown = [0, 999, 1_000, 310_000, 8_400_000, 5e12].map((value) => byteRate(value).join(" "))
  expect(shown).toEqual(["0 B/s", "999 B/s", "1.0 kB/s", "310 kB/s", "8.4 MB/s", "5000 GB/s"])
})

test("shares and times", () => {
  expect([percent(null), percent(0.994), finePercent(0.02), finePercent(0.2)]).toEqual([
    ...["–", "99%", "2.0%", "20%"],
  ])
  expect([-5, 999, 61_000, 3_600_000, 94 * 60_000, 90_061_000].map(age)).toEqual([
    ...["0s", "0s", "1m 1s", "1h 0m", "1h 34m", "1d 1h"],
  ])
})
