/** How many clients fit below a limit of descriptors. */
import { expect, test } from "bun:test"
import { backendLimit, clientLimit, descriptorLimit } from "../../src/worker/descriptors.ts"

test.each([
  [1_048_576, 3, 524_221],
  [1024, 3, 445],
  [1024, 500, 192],
  [256, 1, 84],
  [64, 1, 20],
  [8, 1, 2],
])(
  "%d descriptors and %d backends hold %d clients, each with its backend's connection",
  (...of) => {
    const [descriptors, backends, clients] = of
    expect(clientLimit(0, backends, descriptors)).toBe(clients)
    const others = Math.min(64, Math.floor(descriptors / 6))
    expect(2 * clients + backends + others).toBeLessThan(descriptors)
  },
)

test("a configured limit counts when it is lower, and not when it is higher", () => {
  expect(clientLimit(5, 1, 1024)).toBe(5)
  expect(clientLimit(5000, 1, 1024)).toBe(clientLimit(0, 1, 1024))
})

test("every client may have a connection to a backend, and fewer clients leave room for more", () => {
  expect(backendLimit(clientLimit(0, 3, 1024), 3, 1024)).toBe(445)
  expect(backendLimit(clientLimit(5, 3, 1024), 3, 1024)).toBe(885)
  expect(backendLimit(clientLimit(0, 1, 64), 1, 64)).toBe(21)
})

test("the limit of this process is known", () => {
  expect(descriptorLimit()).toBeGreaterThan(63)
})
