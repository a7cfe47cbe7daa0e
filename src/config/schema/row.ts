/** What the rows of the settings table are made of: the form of a row, and the values that several share. */
import type { Setting, SettingGroup, SettingKey, SettingValues, ValueType } from "./setting.ts"
import { duration } from "./value-types.ts"

export const SECOND = 1_000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const KIB = 1_024

/** Time limits are finite by rule: a week is the longest, and zero is not "for ever". */
export const limit = duration(1, 168 * HOUR)

/** The name of a field, a cookie or a parameter. */
export const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/

export type SchemaRows = { readonly [Key in SettingKey]: Setting<SettingValues[Key]> }

type Extras<T> = Partial<Pick<Setting<T>, "short" | "flag" | "alias" | "defaultText" | "secret">>

/** Makes rows of one group. */
export function group(name: SettingGroup) {
  return <T>(type: ValueType<T>, value: T, help: string, extras: Extras<T> = {}): Setting<T> => ({
    type,
    group: name,
    help,
    default: () => value,
    ...extras,
  })
}
