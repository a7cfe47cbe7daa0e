/** Rights that a process has from its executable file. */
import { expect, test } from "bun:test"
import { hasFilePrivileges, isSecure } from "../../src/net/file-privileges.ts"

function vector(...pairs: readonly (readonly [number, number])[]): Buffer {
  const numbers = new BigUint64Array(pairs.flat().map(BigInt))
  return Buffer.from(numbers.buffer)
}

test("the kernel's word is found among the others", () => {
  expect(isSecure(vector([6, 4096], [23, 1], [0, 0]))).toBeTrue()
  expect(isSecure(vector([6, 23], [23, 0], [0, 0]))).toBeFalse()
  expect(isSecure(vector([6, 4096], [0, 0]))).toBeFalse()
  expect(isSecure(Buffer.alloc(0))).toBeFalse()
})

test("this process has none", () => {
  expect(hasFilePrivileges()).toBeFalse()
})
