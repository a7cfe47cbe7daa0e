/**
 * JSON on one line, safe to show. JSON lets DEL, U+0080 to U+009F, U+2028 and the marks that turn text around stand as
 * they are, but a terminal obeys the first two (U+009B begins an escape sequence), and some readers take U+2028 for the
 * end of a line. What a peer sends may hold any of them. They are escaped, and mean the same to a parser.
 */
export function lineJson(value: object): string {
  return JSON.stringify(value).replace(
    /[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  )
}
