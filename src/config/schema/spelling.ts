/**
 * "Did you mean": the known word nearest to one that nobody knows, by edits and swapped neighbours.
 */

/** Restricted Damerau-Levenshtein distance; words here are short, so the plain table is enough. */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, column) => column)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      const above = rows[i - 1] ?? []
      let cost = Math.min(
        (above[j] ?? 0) + 1,
        (row[j - 1] ?? 0) + 1,
        (above[j - 1] ?? 0) + (same ? 0 : 1),
      )
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, (rows[i - 2]?.[j - 2] ?? 0) + 1)
      }
      row.push(cost)
    }
    rows.push(row)
  }
  return rows[a.length]?.[b.length] ?? 0
}

const plain = (word: string): string => word.toLowerCase().replace(/[-_.]/g, "")

/** The nearest of `known`, or null when nothing is near enough to be what was meant. */
export function nearest(word: string, known: readonly string[]): string | null {
  let best: string | null = null
  let bestDistance = Math.min(3, Math.max(1, Math.floor(word.length / 3))) + 1
  for (const candidate of known) {
    // The same word with another case or other separators is what was meant.
    const distance =
      plain(word) === plain(candidate) ? 0 : editDistance(word.slice(0, 60), candidate)
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** They say nothing of what is meant. */
const weakWords = new Set(["max", "min", "the", "of", "per", "size", "num", "number", "proxy"])

/**
 * The known name that has the most words of `name`, for one whose spelling is far from all of them: `max_connections`
 * is `limits.connections`. A word may be cut short: `conn`. Null when no word is in both.
 */
export function nearestByWords(name: string, known: readonly string[]): string | null {
  const words = wordsOf(name.slice(0, 60)).filter((word) => !weakWords.has(word))
  let best: string | null = null
  let bestScore = 0
  for (const candidate of known) {
    const theirs = wordsOf(candidate)
    const shared = words
      .map((word) => Math.max(0, ...theirs.map((other) => likeness(word, other))))
      .reduce((sum, each) => sum + each, 0)
    // Of two that share as many words the shorter one says less that was not asked for.
    const score = shared === 0 ? 0 : shared - theirs.length / 100
    if (score > bestScore) {
      best = candidate
      bestScore = score
    }
  }
  return best
}

function wordsOf(name: string): readonly string[] {
  const parts = name
    .replaceAll(/([a-z])([A-Z])/g, "$1_$2")
    .toLowerCase()
    .split(/[^a-z0-9]+/)
  return parts.filter((part) => part !== "")
}

/** 1 for the same word, less for one that is cut short. */
function likeness(a: string, b: string): number {
  const [short, long] = a.length < b.length ? [a, b] : [b, a]
  if (short === long) return 1
  return short.length >= 4 && long.startsWith(short) ? 0.5 : 0
}

/** `, did you mean "weight"?`, or nothing. */
export function didYouMean(word: string, known: readonly string[], quote = '"'): string {
  const meant = nearest(word, known)
  return meant === null ? "" : `, did you mean ${quote}${meant}${quote}?`
}
