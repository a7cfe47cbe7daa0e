/**
 * Makes a failing case small: takes out what is not needed for it to fail, first in large pieces, then one by one.
 */
export function shrunk<T>(
  whole: readonly T[],
  fails: (part: readonly T[]) => boolean,
): readonly T[] {
  let rest = whole
  for (let size = rest.length >> 1; size >= 1; size >>= 1) {
    for (let at = 0; at < rest.length;) {
      const without = [...rest.slice(0, at), ...rest.slice(at + size)]
      if (fails(without)) rest = without
      else at += size
    }
  }
  return rest
}
