/**
 * The shape of one setting's description, and the compiler's promise that every field of
 * `FlatSettings` has one: a field without a description, or a default of the wrong type, does not compile.
 */
import type { NamedRecord } from "./named-records.ts"
import type { FlatSettings } from "./settings.ts"

/**
 * Says what is wrong with a value; `at` is the place inside it, such as `[1].weight`. Returns
 * undefined, for `return`.
 */
export type Refuse = (message: string, at?: string) => undefined

/** What an editor is told of a value, in the words of JSON Schema. */
export type JsonSchema = Readonly<Record<string, unknown>>

/** How one kind of value is read from a file or a flag and written in help and docs. */
export interface ValueType<T> {
  /** What help shows behind the flag: `N`, `DURATION`. Empty for a boolean. */
  readonly placeholder: string
  /** What a person may write, for docs and error lines: "a whole number from 1 to 1024". */
  readonly expects: string
  /**
   * `list`: the flag may be repeated and collects. `boolean`: the flag takes no value and has a
   * `--no-` form.
   */
  readonly kind: "scalar" | "boolean" | "list"
  /** The value, or undefined after it has told `refuse` everything that is wrong. */
  read(input: unknown, refuse: Refuse): T | undefined
  /** How the words of a flag or a variable are read, where they are another form than a file has. */
  readWords?(words: readonly string[], refuse: Refuse): T | undefined
  format(value: T): string
  /** What an editor is told of it: kinds, words and ranges. The last word is that of `read`. */
  readonly json: JsonSchema
  /** Its type in the options of `startBalancer`, in the words of TypeScript; a string where nothing is said. */
  readonly typescript?: string
}

/** Facts about this machine that defaults depend on, passed in so that a test chooses them. */
export interface Machine {
  readonly cpus: number
  readonly platform: string
}

export type SettingGroup =
  | "Serving"
  | "Processes"
  | "Balancing"
  | "Logging"
  | "Health checks"
  | "Sticky sessions"
  | "Time limits"
  | "TCP keepalive"
  | "Size limits"
  | "Connection pool"
  | "Retries"
  | "Access log"
  | "HTTP"
  | "DNS"

export interface Setting<T> {
  readonly type: ValueType<T>
  readonly group: SettingGroup
  readonly help: string
  readonly default: (machine: Machine) => T
  /** What help and docs say for a default that depends on the machine. */
  readonly defaultText?: string
  /** One letter. */
  readonly short?: string
  /** The flag where the rule of `flagName` does not give it. */
  readonly flag?: string
  /** A second flag with the same meaning. */
  readonly alias?: string
  /** Never shown by what prints the configuration. */
  readonly secret?: true
}

type Snake<S extends string> = S extends `${infer Head}${infer Tail}`
  ? `${Head extends Lowercase<Head> ? Head : `_${Lowercase<Head>}`}${Snake<Tail>}`
  : S

type GroupName =
  | "health"
  | "sticky"
  | "timeouts"
  | "keepalive"
  | "limits"
  | "pool"
  | "retries"
  | "accessLog"
  | "http"
  | "dns"

type TopValues = {
  [Name in Exclude<keyof FlatSettings, GroupName> as Snake<Name>]: FlatSettings[Name]
}

type GroupValues<Group extends GroupName> = {
  [
    Name in keyof FlatSettings[Group] & string as `${Snake<Group>}.${Snake<Name>}`
  ]: FlatSettings[Group][Name]
}

/** `FlatSettings` laid flat under the keys that files use (`port`, `health.interval`), and the records. */
export type SettingValues = TopValues &
  GroupValues<"health"> &
  GroupValues<"sticky"> &
  GroupValues<"timeouts"> &
  GroupValues<"keepalive"> &
  GroupValues<"limits"> &
  GroupValues<"pool"> &
  GroupValues<"retries"> &
  GroupValues<"accessLog"> &
  GroupValues<"http"> &
  GroupValues<"dns"> & {
    /** What each record says by itself; `Settings` has what comes of it. */
    listeners: readonly NamedRecord[]
    pools: readonly NamedRecord[]
  }

export type SettingKey = keyof SettingValues
