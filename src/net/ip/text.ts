/** IPv6 addresses as text, from their 16 bytes. */

/** As RFC 5952 wants it, but for the longest run of zeros: an IPv4 address in it is shown as that. */
export function textOfV6(bytes: Uint8Array): string {
  const mapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 255
  if (mapped && bytes[11] === 255) return bytes.subarray(12).join(".")
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16)
  return shorten(Array.from({ length: 8 }, (_, i) => view.getUint16(2 * i).toString(16)))
}

/** Puts `::` in the place of the longest run of two zero groups or more, the first of equals. */
function shorten(groups: readonly string[]): string {
  let best = 0
  let length = 1
  for (let from = 0; from < groups.length; from++) {
    let to = from
    while (to < groups.length && groups[to] === "0") to++
    if (to - from > length) {
      best = from
      length = to - from
    }
  }
  if (length < 2) return groups.join(":")
  return `${groups.slice(0, best).join(":")}::${groups.slice(best + length).join(":")}`
}
