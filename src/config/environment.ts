/**
 * `${NAME}` and `${NAME:-default}` in the string values of a file. A name that is not set and has
 * no default is an error: an empty port or host would only fail later and further away. `$${`
 * writes a plain `${`.
 */
import type { Refuse } from "./schema/setting.ts"
import { didYouMean } from "./schema/spelling.ts"

export type Environment = Readonly<Record<string, string | undefined>>

const pattern = /\$\$\{|\$\{([^}]*)\}?/g

/** `root` with every string filled in; `refuse` hears of each fault with the path of its value. */
export function substitute(
  root: unknown,
  environment: Environment,
  refuse: Refuse,
  /** Hears of each name that is asked for. */
  asked: (name: string) => void = () => {},
): unknown {
  const walk = (value: unknown, path: string): unknown => {
    if (typeof value === "string") return fill(value, path)
    if (Array.isArray(value)) return value.map((entry, index) => walk(entry, `${path}[${index}]`))
    if (value === null || typeof value !== "object") return value
    const entries = Object.entries(value).map(([key, inner]): [string, unknown] => [
      key,
      walk(inner, path === "" ? key : `${path}.${key}`),
    ])
    return Object.fromEntries(entries)
  }
  const fill = (value: string, path: string): string =>
    value.replaceAll(pattern, (whole: string, inside: string | undefined) => {
      if (inside === undefined) return "${"
      const parts = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s.exec(inside)
      const name = parts?.[1]
      if (name === undefined || !whole.endsWith("}")) {
        refuse(`${whole} is not \${NAME} or \${NAME:-default}`, path)
        return whole
      }
      asked(name)
      const found = environment[name]
      const fallback = parts?.[2]
      if (fallback !== undefined) return found === undefined || found === "" ? fallback : found
      if (found !== undefined) return found
      const meant = didYouMean(name, Object.keys(environment), "")
      refuse(
        `the environment has no ${name}${meant || `, set it or write \${${name}:-default}`}`,
        path,
      )
      return whole
    })
  return walk(root, "")
}
