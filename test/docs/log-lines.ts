/**
 * Every line that src can log at level info or above, read from its code: the text of the call, with what changes from
 * line to line as `…`. What a call takes from elsewhere (a variable, a function) has to be said by whoever asks.
 */
import { sourceFiles } from "../support/source.ts"

export interface LogLine {
  readonly path: string
  readonly level: "info" | "warn" | "err"
  /** `worker … …: starting again`, or the code of an argument that is no text. */
  readonly text: string
  readonly isText: boolean
}

/** Calls of a log's methods, and of the list of loud warnings, whose lines are logged at the start. */
const CALL = /\b(?:#?log\.(?:info|warn|error)|warn)\(\s*(?:true,\s*)?/g

/** The demo tells its own story, the log itself passes lines on, and these say nothing to the log. */
const elsewhere = /^src\/(demo\/|observe\/|cli\/(?!run\.ts))/

export function logLines(): LogLine[] {
  return sourceFiles("src")
    .filter(({ path }) => !elsewhere.test(path))
    .flatMap(({ path, text }) =>
      [...text.matchAll(CALL)]
        .filter(([call]) => !/^warn\(\s*$/.test(call))
        .map((match) => ({
          path,
          level: levelOf(match[0]),
          ...argumentAt(text, match.index + match[0].length),
        })),
    )
}

function levelOf(call: string): LogLine["level"] {
  if (call.includes("error")) return "err"
  return call.includes("info") ? "info" : "warn"
}

/** Literals joined by `+`; code within them, and beside them in brackets, is `…`. */
function argumentAt(code: string, start: number): Omit<LogLine, "path" | "level"> {
  let text = ""
  let at = start
  for (;;) {
    at += /^\s*/.exec(code.slice(at))?.[0].length ?? 0
    const quote = code[at] ?? ""
    if (quote === "(") {
      at = closing(code, at)
      text += "…"
    } else if (quote === '"' || quote === "`") {
      const end = endOfLiteral(code, at)
      text += withoutCode(code.slice(at + 1, end))
      at = end + 1
    } else {
      const rest = /^[^,)\n]*(\([^)]*\))?/.exec(code.slice(at))?.[0] ?? ""
      return { text: rest.trim(), isText: false }
    }
    const joint = /^\s*\+/.exec(code.slice(at))
    if (joint === null) break
    at += joint[0].length
  }
  // A line that is nothing but what comes from elsewhere says nothing by itself.
  return { text, isText: /[a-z]{3}/.test(text) }
}

function endOfLiteral(code: string, start: number): number {
  const quote = code[start]
  for (let at = start + 1; at < code.length; at++) {
    if (code[at] === "\\") at++
    else if (quote === "`" && code.startsWith("${", at)) at = closing(code, at + 1) - 1
    else if (code[at] === quote) return at
  }
  throw new Error(`a literal without an end: ${code.slice(start, start + 40)}`)
}

/** Behind the bracket that closes the one at `start`. */
function closing(code: string, start: number): number {
  let depth = 0
  for (let at = start; at < code.length; at++) {
    if ("({[".includes(code[at] ?? "")) depth++
    else if (")}]".includes(code[at] ?? "") && --depth === 0) return at + 1
  }
  throw new Error(`a bracket without an end: ${code.slice(start, start + 40)}`)
}

function withoutCode(literal: string): string {
  let text = ""
  for (let at = 0; at < literal.length; at++) {
    if (literal.startsWith("${", at)) {
      at = closing(literal, at + 1) - 1
      text += "…"
    } else text += literal[at]
  }
  return text
}
