/** Messages are used again, one user at a time, and hold nothing while they wait. */
import { expect, test } from "bun:test"
import { SpareMessages } from "../../src/http/spare-messages.ts"

test("a message that is given back is the next one, without its bytes", () => {
  const messages = new SpareMessages(8, 4)
  const [request, response] = [messages.takeRequest(8), messages.takeResponse()]
  request.bytes = response.bytes = Buffer.from("secret")
  expect(messages.takeRequest(8)).not.toBe(request)
  expect(messages.taken).toBe(3)
  messages.giveRequest(request)
  messages.giveResponse(response)
  expect(messages.taken).toBe(1)
  expect([request.bytes.length, response.bytes.length]).toEqual([0, 0])
  expect(messages.takeRequest(8)).toBe(request)
  expect(messages.takeResponse()).toBe(response)
})

test("each user has its own limit of fields, by one capacity for all", () => {
  const messages = new SpareMessages(100, 100)
  const request = messages.takeRequest(10)
  expect([request.fields.limit, request.fields.capacity]).toEqual([10, 100])
  messages.giveRequest(request)
  expect(messages.takeRequest(50).fields.limit).toBe(50)
  expect(messages.takeRequest(500).fields.limit).toBe(100)
})

test("after a change of the limits, messages of the old size are dropped", () => {
  const messages = new SpareMessages(10, 10)
  const [request, response] = [messages.takeRequest(10), messages.takeResponse()]
  messages.giveResponse(response)
  messages.configure(20, 5)
  messages.giveRequest(request)
  expect(messages.takeRequest(20).fields.capacity).toBe(20)
  expect(messages.takeResponse().fields.capacity).toBe(5)
})

test("after a burst only some are kept", () => {
  const messages = new SpareMessages(1, 1)
  const burst = Array.from({ length: 1000 }, () => messages.takeRequest(1))
  for (const message of burst) messages.giveRequest(message)
  const known = new Set(burst)
  const again = burst.map(() => messages.takeRequest(1)).filter((message) => known.has(message))
  expect(again).toHaveLength(256)
})
