/** `bunlb schema`: the JSON Schema of a configuration file, for editors. */
import { configurationSchema } from "../config/json-schema.ts"
import { command } from "./command.ts"

export const schema = command({
  name: "schema",
  description: "Print the JSON Schema of configuration files, for editors",
  usage: "schema",
  flags: [],
  examples: ["bunlb schema > bunlb.schema.json"],
  async run(_typed, terminal) {
    terminal.out(JSON.stringify(configurationSchema(), null, 2))
    return 0
  },
})
