/**
 * Every setting has a flag named after its key: one rule, so that knowing the key is knowing the
 * flag.
 */
import type { Setting, SettingKey } from "./setting.ts"

/**
 * `health.interval` -> `health-interval`, `timeouts.connect` -> `connect-timeout`, `limits.fields`
 * -> `limit-fields`.
 */
export function flagName(key: SettingKey, setting: Pick<Setting<unknown>, "flag">): string {
  if (setting.flag !== undefined) return setting.flag
  const dashed = key.replace(/[._]/g, "-")
  if (key.startsWith("timeouts.")) return `${dashed.slice("timeouts-".length)}-timeout`
  if (key.startsWith("limits.")) return `limit-${dashed.slice("limits-".length)}`
  return dashed
}
