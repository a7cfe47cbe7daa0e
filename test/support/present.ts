/** A value that a test relies on: when it is missing the test ends there, and says so. */
export function present<T>(value: T | null | undefined): T {
  if (value === null || value === undefined) throw new Error("the test expected a value here")
  return value
}
