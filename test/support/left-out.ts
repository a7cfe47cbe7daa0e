/** Tests that cannot run everywhere: what is left out is named on stderr, one line each, and counts as skipped. */
import { test } from "bun:test"

export const isLinux = process.platform === "linux"

/** For `test.skipIf`: true, and said with the reason, where `what` is not possible. */
export function isLeftOut(what: string, possible: boolean, otherwise: string): boolean {
  if (!possible) console.error(`not run: ${what}: ${otherwise}`)
  return !possible
}

/** `test` for what only Linux has: `because` says what that is. */
export function onLinux(what: string, because: string) {
  return test.skipIf(isLeftOut(what, isLinux, because))
}

/** `test` for what needs programs that this machine may not have. */
export function withPrograms(what: string, ...programs: readonly string[]) {
  const missing = programs.filter((program) => Bun.which(program) === null)
  const verb = missing.length === 1 ? "is" : "are"
  return test.skipIf(isLeftOut(what, missing.length === 0, `${missing.join(", ")} ${verb} missing`))
}
