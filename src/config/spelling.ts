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

/** `, did you mean "weight"?`, or nothing. */
export function didYouMean(word: string, known: readonly string[], quote = '"'): string {
  const meant = nearest(word, known)
  return meant === null ? "" : `, did you mean ${quote}${meant}${quote}?`
}
