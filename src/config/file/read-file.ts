/**
 * Reads the configuration file. Its one trick: Bun's parse functions name no place of a syntax
 * error, but importing the same file does, so a file that does not parse is imported once more for
 * the place alone.
 */
import { BunlbError } from "../../core/errors.ts"
import { fileFault } from "../../core/file-fault.ts"
import { ConfigSyntaxError, formatOf, parseConfig, type ConfigTree } from "./config-tree.ts"
import { readPlainFile } from "./plain-file.ts"
import { isAbsolute, resolve } from "node:path"
import { syntaxAdvice } from "./syntax-advice.ts"

/** More than 1,024 backends with all their options need; a limit on what is read into memory. */
export const MAX_FILE_BYTES = 4 << 20

/**
 * `name` is what messages call it, `path` where it is. Throws `BunlbError` when the file cannot be read or is not what
 * its extension says.
 */
export async function readConfigFile(name: string, path: string = name): Promise<ConfigTree> {
  const format = formatOf(name)
  if (format === null) {
    throw fault(`${name}: the name must end in .yaml, .yml, .toml or .json`)
  }
  const text = readText(name, path)
  try {
    return parseConfig(name, text, format)
  } catch (error) {
    if (!(error instanceof ConfigSyntaxError)) throw error
    const place = error.place ?? (await placeByImport(path, format))
    const where = place ? `${name}:${place.line}:${place.column}` : name
    const advice = place ? syntaxAdvice(text, format, place.line) : ""
    throw fault(`${where}: not valid ${format.toUpperCase()}: ${error.message}${advice}`)
  }
}

function fault(message: string): BunlbError {
  return new BunlbError("BUNLB_E_CONFIG", `config: ${message}`)
}

function readText(name: string, path: string): string {
  try {
    return readPlainFile(path, MAX_FILE_BYTES).toString("utf8")
  } catch (error) {
    const tooLarge = error instanceof Error && "code" in error && error.code === "EFBIG"
    throw fault(`${name}: ${tooLarge ? "larger than 4 MiB" : fileFault(error)}`)
  }
}

async function placeByImport(
  name: string,
  format: string,
): Promise<{ line: number; column: number } | null> {
  try {
    const path = isAbsolute(name) ? name : resolve(name)
    await import(path, { with: { type: format === "json" ? "jsonc" : format } })
  } catch (error) {
    if (!(error instanceof Error) || !("position" in error)) return null
    const position = error.position as { line: number; column: number } | null
    return position && { line: position.line, column: position.column }
  }
  return null
}
