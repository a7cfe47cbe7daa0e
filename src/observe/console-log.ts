/**
 * Log lines for people and for machines, on standard error, one line a call whatever is in it.
 * consola's core does the levels; its reporters are not used, for their boxes span lines and their
 * start costs 10 ms.
 */
import { createConsola, type LogObject } from "consola/core"
import type { LogFormat, LogLevel } from "../config/schema/settings.ts"
import { painter, type Paint, type Style } from "./colour.ts"
import { lineJson } from "./line-json.ts"
import type { Log } from "../core/log.ts"

const levels: Readonly<Record<LogLevel, number>> = { err: 0, warn: 1, info: 3, debug: 4 }

interface LevelStyle {
  readonly word: string
  readonly name: LogLevel
  readonly style: Style | null
}

const styles: Readonly<Record<string, LevelStyle>> = {
  error: { word: "ERROR", name: "err", style: "red" },
  warn: { word: "WARN ", name: "warn", style: "yellow" },
  info: { word: "INFO ", name: "info", style: "green" },
  debug: { word: "DEBUG", name: "debug", style: "dim" },
}
const plainStyle: LevelStyle = { word: "INFO ", name: "info", style: null }

/** Where lines go: standard error, or a test's list. */
export interface LogTarget {
  readonly terminal: boolean
  /** Whether its text lines are coloured. */
  readonly colour: boolean
  write(line: string): void
  /** Lines dropped since this was asked last; 0 while there is no room to tell. */
  dropped?(): number
}

/** A peer's bytes may be in a line: they must not end it, nor steer a terminal. */
function oneLine(line: string): string {
  return line.replace(
    /[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (char) => {
      return `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`
    },
  )
}

export interface ConfigurableLog extends Log {
  debugging: boolean
  /** From the next line on. */
  configure(level: LogLevel, format: LogFormat): void
}

/** `label` names the process where several write to one stream: "worker 2". */
export function createLog(
  level: LogLevel,
  format: LogFormat,
  target: LogTarget,
  label = "",
): ConfigurableLog {
  let log = consolaFor(level, format, target, label)
  return {
    error: (line) => log.error(line),
    warn: (line) => log.warn(line),
    info: (line) => log.info(line),
    debug: (line) => log.debug(line),
    debugging: level === "debug",
    configure(level, format) {
      log = consolaFor(level, format, target, label)
      this.debugging = level === "debug"
    },
  }
}

function consolaFor(level: LogLevel, format: LogFormat, target: LogTarget, label: string) {
  const json = format === "json" || (format === "auto" && !target.terminal)
  const paint = painter(target.colour)
  const write = json
    ? jsonLine
    : (entry: LogObject, name: string) => textLine(entry, name, target.terminal, paint)
  const log = (entry: LogObject): void => {
    const dropped = target.dropped?.() ?? 0
    if (dropped > 0) {
      const args = [`${dropped} log lines were dropped: nobody read them in time`]
      target.write(`${write({ ...entry, type: "warn", args }, label)}\n`)
    }
    target.write(`${write(entry, label)}\n`)
  }
  return createConsola({
    level: levels[level],
    // Repeated lines are all shown: the number of them is what an operator looks for.
    throttle: 0,
    reporters: [{ log }],
  })
}

function jsonLine(entry: LogObject, label: string): string {
  const { name } = styles[entry.type] ?? plainStyle
  const fields = { time: entry.date.toISOString(), level: name, msg: String(entry.args[0]) }
  return lineJson(label === "" ? fields : { ...fields, process: label })
}

/** A terminal gets the time of day, a file the whole date in UTC. */
function textLine(entry: LogObject, label: string, terminal: boolean, paint: Paint): string {
  const { word, style } = styles[entry.type] ?? plainStyle
  const line = `${prefix(label)}${oneLine(String(entry.args[0]))}`
  const level = style === null ? word : paint(style, word)
  if (!terminal) return `${entry.date.toISOString()} ${level} ${line}`
  return `${paint("dim", entry.date.toTimeString().slice(0, 8))} ${level} ${line}`
}

function prefix(label: string): string {
  return label === "" ? "" : `[${label}] `
}
