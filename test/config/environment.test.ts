/** `${NAME}` in the strings of a file. */
import { expect, test } from "bun:test"
import { substitute } from "../../src/config/environment.ts"

const environment = { PORT: "8080", EMPTY: "", NESTED: "${PORT}" }

function filled(root: unknown): { value: unknown; faults: string[] } {
  const faults: string[] = []
  const value = substitute(
    root,
    environment,
    (message, at) => void faults.push(`${at}: ${message}`),
  )
  return { value, faults }
}

test.each([
  ["${PORT}", "8080"],
  ["a:${PORT},weight=2", "a:8080,weight=2"],
  ["${PORT}${PORT}", "80808080"],
  ["${PORT:-1}", "8080"],
  ["${NONE:-1}", "1"],
  ["${NONE:-}", ""],
  ["${EMPTY:-1}", "1"],
  ["${EMPTY}", ""],
  ["${NESTED}", "${PORT}"],
  ["$${PORT}", "${PORT}"],
  ["$PORT $", "$PORT $"],
])("%s is %s", (text, result) => {
  expect(filled(text)).toEqual({ value: result, faults: [] })
})

test.each([
  ["${NONE}", "the environment has no NONE, set it or write ${NONE:-default}"],
  ["${PROT}", "the environment has no PROT, did you mean PORT?"],
  ["${}", "${} is not ${NAME} or ${NAME:-default}"],
  ["${PORT", "${PORT is not ${NAME} or ${NAME:-default}"],
  ["${1A}", "${1A} is not ${NAME} or ${NAME:-default}"],
  ["${PORT-1}", "${PORT-1} is not ${NAME} or ${NAME:-default}"],
])("%s is a fault", (text, fault) => {
  expect(filled({ a: [{ b: text }] }).faults).toEqual([`a[0].b: ${fault}`])
})

test("numbers, switches, nulls and keys are left alone", () => {
  const root = { "${PORT}": [1, true, null, { x: "${PORT}" }] }
  expect(filled(root).value).toEqual({ "${PORT}": [1, true, null, { x: "8080" }] })
})
