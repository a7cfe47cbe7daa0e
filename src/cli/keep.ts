/**
 * `--save`: a change of backends written into the configuration file that `run` was given. It is made in the text, read
 * again as at a start, and believed only if it says what was wanted and all else as before; then it takes the file's
 * place. Whatever is in doubt is refused, with the file as it was.
 */
import { edited, editsBetween, type ListInFile } from "../config/file/backend-edits.ts"
import { formatOf, parseConfig } from "../config/file/config-tree.ts"
import { differenceOf } from "../config/difference.ts"
import { readPlainFile } from "../config/file/plain-file.ts"
import { MAX_FILE_BYTES } from "../config/file/read-file.ts"
import { replaceFile } from "../config/file/replace-file.ts"
import { isMapping } from "../config/schema/key-tree.ts"
import type { NamedRecord } from "../config/schema/named-records.ts"
import { DEFAULT_NAME, withBackends } from "../config/schema/pools.ts"
import type { BackendSettings, Settings } from "../config/schema/settings.ts"
import type { SaveBackends } from "../master/control/saved-changes.ts"
import { Refused } from "../master/control/refused.ts"
import { isHeld } from "../net/linux/activation.ts"
import type { Typed } from "./flags.ts"
import { askedSettings, settingsFrom, type Asked } from "./setting-flags.ts"
import type { Terminal } from "./terminal.ts"

const BOM = "\uFEFF"

type ByPool = Parameters<SaveBackends>[1]

/** For a bunlb that was started with these words. */
export function keeper(typed: Typed, terminal: Terminal): SaveBackends {
  return async (configured, wanted) => {
    const asked = await askedSettings(typed, terminal)
    const { settings, file, path } = asked
    if (file === null || path === null)
      throw refused("there is no file to save it in: start bunlb with -c FILE")
    for (const pool of wanted.keys()) refuseElsewhere(asked, file, pool)
    const [change] = differenceOf(configured, settings, isHeld()).changes
    if (change !== undefined) {
      throw refused(`${file} says something else by now (${change}): bunlb reload first`)
    }
    const before = readPlainFile(path, MAX_FILE_BYTES).toString("utf8")
    const after = rewritten(file, before, settings, wanted)
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

/** Backends that a flag or a variable says are not in the file. */
function refuseElsewhere({ origins, values }: Asked, file: string, pool: string): void {
  const records = values.get("pools") as readonly NamedRecord[]
  const key = records.some(({ name }) => name === pool) ? "pools" : "backends"
  const origin = origins.get(key) ?? ""
  if (origin === file || origin.startsWith(`${file}:`)) return
  throw refused(`the ${key} are from ${origin}, not from ${file}: it cannot be saved there`)
}

function refused(message: string): Refused {
  return new Refused("not_saved", `not saved and not done: ${message}`)
}

/** Null when it cannot be done. */
function rewritten(file: string, before: string, is: Settings, wanted: ByPool): string | null {
  const format = formatOf(file) ?? "yaml"
  const marked = before.startsWith(BOM)
  let text = marked ? before.slice(BOM.length) : before
  for (const [pool, backends] of wanted) {
    const old = is.pools.find(({ name }) => name === pool)?.backends ?? []
    for (const edit of editsBetween(old, backends)) {
      const list = listOf(parseConfig(file, text, format).root, pool)
      const next = list === null ? null : edited(text, format, list, edit)
      if (next === null) return null
      text = next
    }
  }
  return marked ? BOM + text : text
}

/** Where a file has the backends of a pool: among its pools, in the short form or the long one, or at the top. */
function listOf(root: unknown, pool: string): ListInFile | null {
  const short = `pools.${pool}`
  const paths = [`${short}.backends`, short, ...(pool === DEFAULT_NAME ? ["backends"] : [])]
  for (const path of paths) {
    const raw = valueAt(root, path)
    if (Array.isArray(raw)) return { path, raw }
  }
  return null
}

function valueAt(root: unknown, path: string): unknown {
  let value = root
  for (const word of path.split(".")) {
    if (!isMapping(value) || !Object.hasOwn(value, word)) return undefined
    value = value[word]
  }
  return value
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

function saysThat(read: Settings, before: Settings, wanted: ByPool): boolean {
  const inOrder = (backends: readonly BackendSettings[]) =>
    backends.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  let [is, expected] = [read, before]
  for (const [pool, backends] of wanted) {
    const found = read.pools.find(({ name }) => name === pool)?.backends ?? []
    is = withBackends(is, pool, inOrder(found))
    expected = withBackends(expected, pool, inOrder(backends))
  }
  return Bun.deepEquals(is, expected)
}
