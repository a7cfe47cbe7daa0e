/**
 * The page's bar: the headline, and whether what is shown is still true. The server sends figures each second; when
 * none come, the page turns grey and says for how long, whether the connection is lost or the server hangs.
 */
import { at, dress, write } from "./dom.ts"
import type { Headline, Tone } from "./headline.ts"
import { age, clock } from "./numbers.ts"

/** After so long without figures, those on the page are old. */
const STALE_MS = 5_000
/** The same when the connection is known to be lost. */
const LOST_MS = 1_500

const health = at("health")
const link = at("link")
const linkText = at("link-text")

/** By a clock that does not jump; null before the first figures. */
let heardAt: number | null = null
let tone: Tone | "" = ""
let text = "connecting"

/** Called whenever figures arrive. */
export function showConnected(): void {
  heardAt = performance.now()
  setLink("good", "live")
}

export function showDisconnected(): void {
  setLink("bad", "connection lost, trying again")
}

export function showHeadline({ tone: kind, text: line }: Headline): void {
  dress(health, `pill ${kind}`)
  write(health, line)
  document.title = kind === "good" ? "bunlb" : `${line} · bunlb`
}

function setLink(newTone: Tone, newText: string): void {
  tone = newTone
  text = newText
  showAge()
}

function showAge(): void {
  const silence = heardAt === null ? 0 : performance.now() - heardAt
  const isStale = silence >= (tone === "bad" ? LOST_MS : STALE_MS)
  document.body.classList.toggle("stale", isStale)
  // Connected, but without figures: the server hangs.
  const trouble = tone === "good" ? "no data" : `${text}, no data`
  dress(link, `link ${isStale ? "bad" : tone}`)
  write(linkText, isStale ? `${trouble} for ${age(silence)}` : text)
  if (!isStale) return
  dress(health, "pill")
  // A time and not an age, so that a screen reader says it once and not every second.
  write(health, `no data since ${clock(Date.now() - silence)}`)
  document.title = "no data · bunlb"
}

setInterval(showAge, 1_000)
