/**
 * Reads the words of a command line, strictly: an unknown flag, a missing value or a stray word is
 * an error. citty's own parser lets unknown flags pass and keeps only the last of a repeated one,
 * so it is not used for this.
 *
 * `--flag value`, `--flag=value`, `-f value`, `-fvalue`, `-kt`, `--no-flag`, and `--` which ends
 * the flags.
 */
import { settingRows } from "../config/schema/schema.ts"
import { foreignAdvice } from "../config/schema/foreign-words.ts"
import type { ValueType } from "../config/schema/setting.ts"
import { nearest, nearestByWords } from "../config/schema/spelling.ts"
import { BunlbError } from "../core/errors.ts"

export interface Flag<T = unknown> {
  readonly name: string
  readonly type: ValueType<T>
  /** Heading in the help. */
  readonly group: string
  readonly help: string
  readonly defaultText: string
  /** One letter. */
  readonly short?: string | undefined
  /** A second name with the same meaning. */
  readonly alias?: string | undefined
}

export interface Typed {
  /** By name of the flag: the strings in the order they came, or the switch. */
  readonly values: ReadonlyMap<string, readonly string[] | boolean>
  /** The words that are no flags. */
  readonly words: readonly string[]
  readonly help: boolean
  /** The word behind `--help`: `all`, or a group of flags. */
  readonly topic: string | null
}

export function usageError(message: string): BunlbError {
  return new BunlbError("BUNLB_E_USAGE", message)
}

/** Throws `BunlbError` at the first word that makes no sense: what follows it cannot be trusted. */
export function readFlags(
  words: readonly string[],
  flags: readonly Flag[],
  /** What the words that are no flags stand for: `BACKEND`. All are needed but `[FILE]`. */
  names: readonly string[] = [],
  /** `drain BACKEND [--wait]`, for who has left one out. */
  usage = "--help",
  /** What stands in front of flags and never behind them: `check`. */
  commands: readonly string[] = [],
): Typed {
  const reader = new Reader(words, flags, names, usage, commands)
  reader.readAll()
  return reader
}

class Reader implements Typed {
  readonly values = new Map<string, string[] | boolean>()
  readonly words: string[] = []
  help = false
  topic: string | null = null
  readonly #words: readonly string[]
  readonly #flags: readonly Flag[]
  readonly #names: readonly string[]
  readonly #usage: string
  readonly #commands: readonly string[]
  #next = 0

  constructor(
    words: readonly string[],
    flags: readonly Flag[],
    names: readonly string[],
    usage: string,
    commands: readonly string[],
  ) {
    this.#words = words
    this.#flags = flags
    this.#names = names
    this.#usage = usage
    this.#commands = commands
  }

  readAll(): void {
    while (this.#next < this.#words.length) {
      const word = this.#words[this.#next++] ?? ""
      if (word === "--help") this.#readHelp()
      else if (word === "--") this.#refuseStray(this.#words[this.#next])
      else if (word.startsWith("--")) this.#readLong(word)
      else if (word.startsWith("-") && word !== "-") this.#readShort(word)
      else if (this.words.length < this.#names.length || this.#takesMany()) this.words.push(word)
      else this.#refuseStray(word)
    }
    const missing = this.#names[this.words.length]
    if (missing !== undefined && !this.help && !missing.startsWith("[")) {
      throw usageError(`${missing.replace("...", "")} is missing: bunlb ${this.#usage}`)
    }
  }

  #readHelp(): void {
    this.help = true
    if (this.#valueFollows()) this.topic = this.#words[this.#next++] ?? null
  }

  /** The last one stands for one or more. */
  #takesMany(): boolean {
    return this.#names.at(-1)?.endsWith("...") === true
  }

  #refuseStray(word: string | undefined): void {
    if (word === undefined) return
    const advice = this.#strayAdvice(word)
    throw usageError(`unexpected argument ${JSON.stringify(word)}, ${advice}`)
  }

  #strayAdvice(word: string): string {
    const has = (name: string): boolean => this.#flags.some((flag) => flag.name === name)
    if (this.#commands.includes(word)) return `a command comes first: bunlb ${word} ...`
    if (has("config") && isFileName(word)) return `did you mean -c ${word}?`
    if (has("backend") && /^(weight=|ca=|backup$|tls$)/.test(word)) {
      return `write it behind its backend: -b HOST:PORT,${word}`
    }
    return has("backend") && /[:.]/.test(word) ? `did you mean -b ${word}?` : "see --help"
  }

  #readLong(word: string): void {
    const equals = word.indexOf("=")
    const name = word.slice(2, equals === -1 ? undefined : equals)
    const value = equals === -1 ? null : word.slice(equals + 1)
    const flag = this.#flags.find((one) => one.name === name || one.alias === name)
    if (flag) {
      if (flag.type.kind === "boolean") this.#switch(flag, value)
      else this.#collect(flag, value ?? this.#value(flag, `--${name}`))
      return
    }
    const positive = name.startsWith("no-") ? name.slice(3) : null
    const negated = this.#flags.find((one) => one.name === positive)
    if (negated?.type.kind === "boolean" && value === null) this.values.set(negated.name, false)
    else throw this.#unknown(name)
  }

  #readShort(word: string): void {
    const long = word.slice(1).split("=")[0] ?? ""
    if (long === "help") {
      this.help = true
      return
    }
    if (this.#flags.some(({ name, alias }) => long === name || long === alias) && long.length > 1) {
      throw usageError(`unknown flag -${long}, did you mean --${long}?`)
    }
    for (let at = 1; at < word.length; at++) {
      const letter = word[at] ?? ""
      const flag = this.#flags.find((one) => one.short === letter)
      const rest = word.slice(at + 1)
      // `-h` is the host when an address follows, and a cry for help when none does.
      if (letter === "h" && rest === "" && (!flag || !this.#valueFollows())) {
        this.help = true
        return
      }
      if (!flag)
        throw usageError(
          `unknown flag ${word.length > 2 ? `-${letter} in ` : ""}${word}, see --help`,
        )
      if (flag.type.kind !== "boolean") {
        const value = rest.startsWith("=") ? rest.slice(1) : rest
        this.#collect(flag, rest === "" ? this.#value(flag, `-${letter}`) : value)
        return
      }
      this.#switch(flag, null)
    }
  }

  #valueFollows(): boolean {
    const following = this.#words[this.#next]
    return following !== undefined && (!following.startsWith("-") || following === "-")
  }

  #value(flag: Flag, written: string): string {
    if (!this.#valueFollows()) {
      throw usageError(`${written} needs a value: ${written} ${flag.type.placeholder}`)
    }
    return this.#words[this.#next++] ?? ""
  }

  #collect(flag: Flag, value: string): void {
    const before = this.values.get(flag.name)
    if (!Array.isArray(before)) this.values.set(flag.name, [value])
    else if (flag.type.kind === "list") before.push(value)
    else throw usageError(`--${flag.name} is given twice, keep one`)
  }

  #switch(flag: Flag, value: string | null): void {
    const read = flag.type.read(value ?? true, (message) => {
      throw usageError(`--${flag.name}: ${message}`)
    })
    this.values.set(flag.name, read === true)
  }

  #unknown(name: string): BunlbError {
    const names = this.#flags.flatMap(({ name, alias, type }) => [
      name,
      ...(alias === undefined ? [] : [alias]),
      ...(type.kind === "boolean" ? [`no-${name}`] : []),
    ])
    const foreign = foreignAdvice(name, (key) => {
      const flag = settingRows.find((row) => row.key === key)?.flag ?? key
      return names.includes(flag) ? `--${flag}` : null
    })
    const meant = nearest(name, [...names, "help"])
    const limits = names.filter((each) => each.endsWith("-timeout")).map((each) => `--${each}`)
    const phases =
      /time-?out/i.test(name) && limits.length > 0 ? `, there are ${limits.join(" ")}` : null
    const alike = foreign === null ? nearestByWords(name, names) : null
    const others = foreign ?? phases ?? (alike ? `, did you mean --${alike}?` : ", see --help")
    const advice = meant ? `, did you mean --${meant}?` : others
    return usageError(`unknown flag --${name}${advice}`)
  }
}

/** A configuration file, by its name. */
export function isFileName(word: string): boolean {
  return /\.(ya?ml|toml|json|conf|cfg)$/i.test(word)
}

/** A flag that belongs to one command and to no setting. */
export interface Option<T> extends Flag<T> {
  readonly default: T
}

/** The flags of a command and what they gave, under the same names. */
export type OptionsOf<T extends object> = { readonly [Key in keyof T]: Option<T[Key]> }

/** Throws one `BunlbError` with a line for every bad value. */
export function readOptions<T extends object>(typed: Typed, options: OptionsOf<T>): T {
  const faults: string[] = []
  const entries = (Object.keys(options) as (keyof T)[]).map((key) => {
    const { name, type, default: fallback } = options[key]
    const given = typed.values.get(name)
    if (given === undefined) return [key, fallback] as const
    const input = Array.isArray(given) && type.kind !== "list" ? given.at(-1) : given
    return [key, type.read(input, (message) => void faults.push(`--${name}: ${message}`))] as const
  })
  if (faults.length > 0) throw usageError(faults.join("\n"))
  // Every key of the options got the value that its own type read.
  return Object.fromEntries(entries) as T
}
