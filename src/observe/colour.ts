/**
 * Whether output is coloured: one rule for log lines, errors, tables, help and the live screen.
 *
 * The first variable that decides wins: FORCE_COLOR (0 or false: never, anything else: always), NO_COLOR,
 * CLICOLOR_FORCE, then CLICOLOR=0 and TERM=dumb. Without any of them a terminal gets colours, and a pipe or a file does
 * not. An empty variable counts as not set, as no-color.org and force-color.org ask. When both FORCE_COLOR and NO_COLOR
 * are set, FORCE_COLOR wins, as in Node.js.
 */
import { styleText } from "node:util"

export type Style = "bold" | "dim" | "red" | "green" | "yellow"

/** Colours a text, or returns it as it is. */
export type Paint = (style: Style, text: string) => string

type Environment = Readonly<Record<string, string | undefined>>

/** `terminal`: whether the stream is one. */
export function hasColour(environment: Environment, terminal: boolean): boolean {
  const {
    FORCE_COLOR: force = "",
    NO_COLOR: no = "",
    CLICOLOR_FORCE: clicolorForce = "",
  } = environment
  if (force !== "") return force !== "0" && force.toLowerCase() !== "false"
  if (no !== "") return false
  if (clicolorForce !== "" && clicolorForce !== "0") return true
  return terminal && environment["CLICOLOR"] !== "0" && environment["TERM"] !== "dumb"
}

export function painter(colour: boolean): Paint {
  return colour
    ? (style, text) => styleText(style, text, { validateStream: false })
    : (_style, text) => text
}
