/** Tests that cannot run everywhere: what is left out is named on stderr, one line each, and counts as skipped. */

/** For `test.skipIf`: true, and said with the reason, where `what` is not possible. */
export function isLeftOut(what: string, possible: boolean, otherwise: string): boolean {
  if (!possible) console.error(`not run: ${what}: ${otherwise}`)
  return !possible
}
