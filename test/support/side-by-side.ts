/**
 * Tests of one file that run at the same time, because they wait more than they work, and what has to be done when a
 * test has finished, whether it runs alone or beside others.
 */
import { AsyncLocalStorage } from "node:async_hooks"
import { onTestFinished, test } from "bun:test"

type Run = (...given: readonly unknown[]) => unknown
/** What such tests are declared with. */
type Tests = Pick<typeof test, "each"> &
  ((name: string, run: () => unknown, options?: Parameters<typeof test>[2]) => void)
type Declare = (name: string, run: Run, options?: Parameters<typeof test>[2]) => void

/** What the test has to undo, where it runs beside others: bun takes `onTestFinished` of no such test. */
const undone = new AsyncLocalStorage<(() => void)[]>()

/** Runs `action` when the test that calls this has finished. */
export function afterTest(action: () => void): void {
  const actions = undone.getStore()
  if (actions === undefined) onTestFinished(action)
  else actions.push(action)
}

/** `test.concurrent`, or what `test.skipIf` makes of it, for tests that use `afterTest`. */
export function sideBySide(tests: typeof test = test): Tests {
  const { concurrent } = tests
  const each = (...cases: Parameters<typeof concurrent.each>): Declare =>
    wrapped(concurrent.each(...cases) as Declare)
  return Object.assign(wrapped(concurrent as Declare), { each }) as unknown as Tests
}

function wrapped(declare: Declare): Declare {
  return (name, run, options) => declare(name, undoing(run), options)
}

function undoing(run: Run): Run {
  return (...given) =>
    undone.run([], async () => {
      try {
        await run(...given)
      } finally {
        for (const action of undone.getStore() ?? []) action()
      }
    })
}
