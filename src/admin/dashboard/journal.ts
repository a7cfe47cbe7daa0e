/** The list of what happened, newest first. */
import type { JournalEntry } from "../../master/figures/journal.ts"
import { at, make } from "./dom.ts"
import { clock } from "./numbers.ts"

const LIMIT = 200

const list = at("journal")
/** The id of the newest entry in the list. */
let newest = 0

/** Starts again with what the server remembers. A bunlb that has started again counts from one again. */
export function replaceJournal(entries: readonly JournalEntry[]): void {
  if ((entries.at(-1)?.id ?? 0) < newest) {
    newest = 0
    list.replaceChildren()
  }
  addToJournal(entries)
}

/** Entries that are in the list already are left out. */
export function addToJournal(entries: readonly JournalEntry[]): void {
  for (const { id, at: time, kind, text } of entries) {
    if (id <= newest) continue
    newest = id
    const when = make("time", { datetime: new Date(time).toISOString() }, clock(time))
    const dot = make("span", { class: `dot ${kind}`, "aria-hidden": "true" })
    list.prepend(make("li", {}, dot, when, make("span", {}, text)))
  }
  while (list.childElementCount > LIMIT) list.lastElementChild?.remove()
}
