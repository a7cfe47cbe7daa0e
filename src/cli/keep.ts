/**
 * `--save`: a change of backends written into the configuration file that `run` was given. It is made in the text, read
 * again as at a start, and believed only if it says what was wanted and all else as before; then it takes the file's
 * place. Whatever is in doubt is refused, with the file as it was.
 */
import { edited, editsBetween } from "../config/file/backend-edits.ts"
import { formatOf, parseConfig } from "../config/file/config-tree.ts"
import { differenceOf } from "../config/difference.ts"
import { readPlainFile } from "../config/file/plain-file.ts"
import { MAX_FILE_BYTES } from "../config/file/read-file.ts"
import { replaceFile } from "../config/file/replace-file.ts"
import { DEFAULT_NAME, withBackends } from "../config/schema/pools.ts"
import type { BackendSettings, Settings } from "../config/schema/settings.ts"
import type { SaveBackends } from "../master/control/saved-changes.ts"
import { Refused } from "../master/control/refused.ts"
import { isHeld } from "../net/linux/activation.ts"
import type { Typed } from "./flags.ts"
import { askedSettings, settingsFrom } from "./setting-flags.ts"
import type { Terminal } from "./terminal.ts"

const BOM = "\uFEFF"

/** For a bunlb that was started with these words. */
export function keeper(typed: Typed, terminal: Terminal): SaveBackends {
  return async (configured, wanted) => {
    const { settings, origins, file, path } = await askedSettings(typed, terminal)
    if (file === null || path === null)
      throw refused("there is no file to save it in: start bunlb with -c FILE")
    const origin = origins.get("backends") ?? ""
    if (origin !== file && !origin.startsWith(`${file}:`)) {
      throw refused(`the backends are from ${origin}, not from ${file}: it cannot be saved there`)
    }
    const [change] = differenceOf(configured, settings, isHeld()).changes
    if (change !== undefined) {
      throw refused(`${file} says something else by now (${change}): bunlb reload first`)
    }
    const before = readPlainFile(path, MAX_FILE_BYTES).toString("utf8")
    const after = rewritten(file, before, settings.backends, wanted)
    if (after === before) return file
    const read = after === null ? null : readAgain(typed, terminal, file, after)
    if (after === null || read === null || !saysThat(read, settings, wanted)) {
      throw refused(
        `${file} is written in a way that cannot be changed here: do it by hand, reload`,
      )
    }
    replaceFile(path, before, after, file)
    return file
  }
}

function refused(message: string): Refused {
  return new Refused("not_saved", `not saved and not done: ${message}`)
}

/** Null when it cannot be done. */
function rewritten(
  file: string,
  before: string,
  is: readonly BackendSettings[],
  wanted: readonly BackendSettings[],
): string | null {
  const format = formatOf(file)
  const marked = before.startsWith(BOM)
  let text = marked ? before.slice(BOM.length) : before
  for (const edit of editsBetween(is, wanted)) {
    const { root } = parseConfig(file, text, format ?? "yaml")
    const raw = (root as { readonly backends?: unknown }).backends
    const next = Array.isArray(raw) ? edited(text, format ?? "yaml", raw, edit) : null
    if (next === null) return null
    text = next
  }
  return marked ? BOM + text : text
}

/** As at a start; null when it would not start. */
function readAgain(typed: Typed, terminal: Terminal, file: string, text: string): Settings | null {
  try {
    const tree = parseConfig(file, text, formatOf(file) ?? "yaml")
    return settingsFrom(typed, terminal, tree).settings
  } catch {
    return null
  }
}

function saysThat(read: Settings, before: Settings, wanted: readonly BackendSettings[]): boolean {
  const inOrder = (backends: readonly BackendSettings[]) =>
    backends.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const expected = withBackends(before, DEFAULT_NAME, inOrder(wanted))
  return Bun.deepEquals(withBackends(read, DEFAULT_NAME, inOrder(read.backends)), expected)
}
