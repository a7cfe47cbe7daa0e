/** `--json`: what a command found out, for programs. */
import { boolean } from "../config/schema/value-types.ts"
import type { Option } from "./flags.ts"
import type { Terminal } from "./terminal.ts"

export const jsonOption: Option<boolean> = {
  name: "json",
  type: boolean,
  group: "Flags",
  help: "The answer as JSON",
  default: false,
  defaultText: "false",
}

export function printJson(terminal: Terminal, value: object): void {
  terminal.out(JSON.stringify(value, null, 2))
}
