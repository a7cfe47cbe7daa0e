/**
 * What an access log must not keep: values of query parameters that carry secrets, and of fields that
 * always do. Names are compared decoded and in lower case, also inside `user[password]`.
 */
const MASK = "***"
const SECRET_FIELDS = new Set([
  "authorization",
  "proxy-authorization",
  "cookie",
  "set-cookie",
  "x-api-key",
])

export class Redaction {
  readonly #names: ReadonlySet<string>
  readonly #all: boolean

  /** `*` among the names hides every value. */
  constructor(names: readonly string[]) {
    this.#names = new Set(names.map((name) => name.toLowerCase()))
    this.#all = this.#names.has("*")
  }

  /** A request target or URL with the values of its query masked. */
  query(target: string): string {
    const mark = target.indexOf("?")
    if (mark === -1 || this.#names.size === 0) return target
    const pairs = target.slice(mark + 1).split(/([&;])/)
    return target.slice(0, mark + 1) + pairs.map((pair) => this.#pair(pair)).join("")
  }

  #pair(pair: string): string {
    const equals = pair.indexOf("=")
    if (equals !== -1 && this.#hides(pair.slice(0, equals))) {
      return pair.slice(0, equals + 1) + MASK
    }
    return this.#all && /^[^&;=]/.test(pair) ? MASK : pair
  }

  #hides(name: string): boolean {
    if (this.#all) return true
    const words = decoded(name)
      .toLowerCase()
      .split(/[[\].]+/)
    return words.some((word) => this.#names.has(word))
  }

  /** The value of the field `name`, in lower case. */
  field(name: string, value: string): string {
    return SECRET_FIELDS.has(name) ? MASK : value
  }
}

/** Each escape by itself: one that is broken must not hide the others, since a lax receiver reads on behind it. */
function decoded(name: string): string {
  return name.replace(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(parseInt(hex, 16)),
  )
}
