/** How a drain ended, in the one line that the log says about it. It never calls clean what may not have been. */
import type { Log } from "../../core/log.ts"
import type { DrainOutcome } from "../../worker/types.ts"

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`
}

/** `unfinished`: workers that were stopped, killed or crashed within their drain; what they cut nobody counted. */
export function logDrain(
  log: Log,
  outcomes: readonly DrainOutcome[],
  unfinished: number,
  limitMs: number,
): void {
  const cut = outcomes.reduce((sum, outcome) => sum + outcome.cut, 0)
  const sending = outcomes.reduce((sum, outcome) => sum + outcome.sending, 0)
  const parts = [
    cut > 0 ? `${plural(cut, "connection")} cut after ${limitMs / 1000} s` : null,
    sending > 0
      ? `${plural(sending, "response")} not received whole after ${limitMs / 1000} s, ` +
        "the kernel goes on sending"
      : null,
    unfinished > 0
      ? `${plural(unfinished, "worker")} ended before the drain was over, with all that was open there`
      : null,
  ].filter((part) => part !== null)
  if (parts.length > 0) log.warn(`drained; ${parts.join("; ")}`)
  else log.info("drained; nothing was cut")
}
