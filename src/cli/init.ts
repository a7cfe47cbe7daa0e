/** `bunlb init [FILE]`: writes a commented file to begin with, and never over one that is there. */
import { closeSync, existsSync, openSync, writeSync } from "node:fs"
import { formatOf } from "../config/file/config-tree.ts"
import { sampleFile } from "../config/sample.ts"
import { BunlbError } from "../core/errors.ts"
import { fileFault } from "../core/file-fault.ts"
import { command } from "./command.ts"
import { usageError } from "./flags.ts"

const NAME = "bunlb.yaml"

export const init = command({
  name: "init",
  description: "Write a commented configuration file to begin with",
  usage: "init [FILE]",
  words: ["[FILE]"],
  flags: [],
  examples: ["bunlb init", "bunlb init /etc/bunlb/bunlb.yaml"],
  async run(typed, terminal) {
    const [file = NAME] = typed.words
    if (formatOf(file) !== "yaml") {
      throw usageError(`${file}: the file is written in YAML, name it .yaml or .yml`)
    }
    if (existsSync(file)) {
      throw new BunlbError("BUNLB_E_CONFIG", `${file} is there already and stays as it is`)
    }
    write(file)
    terminal.out(`written: ${file}. Name your backends in it, then: bunlb check -c ${file}`)
    return 0
  },
})

/** `wx`: another process may have made it meanwhile. */
function write(file: string): void {
  try {
    const fd = openSync(file, "wx")
    writeSync(fd, sampleFile())
    closeSync(fd)
  } catch (error) {
    throw new BunlbError("BUNLB_E_RUNTIME", `${file}: cannot be written: ${fileFault(error)}`)
  }
}
