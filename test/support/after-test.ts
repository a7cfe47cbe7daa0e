/** What must be done when a test has finished, also when it ran beside others of its file. */
import { onTestFinished } from "bun:test"
import { atEnd } from "./at-end.ts"

/** Runs `action` when the test has finished. Bun has no such hook in a concurrent test: there its file's end does. */
export function afterTest(action: () => void): void {
  try {
    onTestFinished(action)
  } catch {
    atEnd(action)
  }
}
