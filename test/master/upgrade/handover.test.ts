/** What is handed over, in both formats. */
import { expect, test } from "bun:test"
import {
  fromFirstFormat,
  toFirstFormat,
  type FirstHandover,
  type HandedListener,
  type Handover,
} from "../../../src/master/upgrade/handover.ts"

const rest = { admin: null, byHand: {}, ailing: [], past: {} } as unknown as Pick<
  Handover,
  "admin" | "byHand" | "ailing" | "past"
>

const web: HandedListener = {
  name: "default",
  address: { host: "0.0.0.0", port: 0 },
  bound: 8080,
  count: 2,
  places: [1, 0],
  queue: "own",
  sockets: 2,
}
const local: HandedListener = {
  ...web,
  name: "local",
  address: { path: "/run/x.sock" },
  bound: null,
  places: null,
}

function handover(...listeners: HandedListener[]): Handover {
  return { format: 2, ...rest, listeners }
}

/** As version 1 writes it. */
const first: FirstHandover = {
  format: 1,
  ...rest,
  listener: { host: "0.0.0.0", port: 0, bound: 8080, count: 2, places: [1, 0] },
}

test("one listener with a host and a port can be told to version 1, and is read from it", () => {
  expect(toFirstFormat(handover(web))).toEqual(first)
  expect(fromFirstFormat(first, "default", "own", 0)).toEqual(handover(web))
})

test.each([
  ["none", handover()],
  ["two", handover(web, { ...web, name: "other", bound: 8081 })],
  ["a unix socket", handover(local)],
  ["all addresses of both families", handover({ ...web, address: { host: "", port: 80 } })],
])("%s cannot be told to version 1", (_, listeners) => {
  expect(toFirstFormat(listeners)).toBeNull()
})

test("what version 1 does not say is made up for: places, and sockets that are shared", () => {
  const { places: _, ...listener } = first.listener
  const before = { ...first, listener }
  const [held] = fromFirstFormat(before, "web", "held", 1).listeners
  expect(held).toEqual({ ...web, name: "web", places: null, queue: "held", sockets: 1 })
  const [shared] = fromFirstFormat(before, "web", "shared", 0).listeners
  expect(shared?.sockets).toBe(1)
})
