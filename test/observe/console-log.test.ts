/** Log lines: levels, forms, and that whatever is in a line it stays one. */
import { expect, test } from "bun:test"
import type { LogFormat, LogLevel } from "../../src/config/schema/settings.ts"
import { createLog } from "../../src/observe/console-log.ts"

const nowhere = { terminal: false, colour: false, write: () => {} }

function lines(
  level: LogLevel,
  format: LogFormat,
  terminal = false,
  label = "",
  colour = terminal,
): string[] {
  const written: string[] = []
  const write = (line: string) => void written.push(line)
  const target = { terminal, colour, write }
  const log = createLog(level, format, target, label)
  log.error("e")
  log.warn("w")
  log.info("i")
  log.debug("d")
  return written
}

test("JSON holds no character that a terminal obeys", () => {
  const written: string[] = []
  const target = {
    terminal: false,
    colour: false,
    write: (line: string) => void written.push(line),
  }
  const text = "a\x1b[2J\x7f\x80\x9b2J\u2028\u202eb"
  createLog("info", "json", target).info(text)
  expect(written[0]).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]/)
  expect(JSON.parse(written[0] ?? "").msg).toBe(text)
})

test("a level shows itself and what is more important", () => {
  const words = (level: LogLevel) => lines(level, "text").map((line) => line.split(" ")[1])
  expect(words("err")).toEqual(["ERROR"])
  expect(words("warn")).toEqual(["ERROR", "WARN"])
  expect(words("info")).toEqual(["ERROR", "WARN", "INFO"])
  expect(words("debug")).toEqual(["ERROR", "WARN", "INFO", "DEBUG"])
  expect(createLog("debug", "text", nowhere).debugging).toBe(true)
  expect(createLog("info", "text", nowhere).debugging).toBe(false)
})

test("text has time, level, process and line", () => {
  const time = "\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z"
  expect(lines("err", "text")[0]).toMatch(new RegExp(`^${time} ERROR e\n$`))
  expect(lines("err", "text", false, "worker 2")[0]).toMatch(
    new RegExp(`^${time} ERROR \\[worker 2\\] e\n$`),
  )
})

test("a terminal gets colours and a short time", () => {
  expect(lines("err", "auto", true)[0]).toMatch(
    /^\x1b\[2m\d\d:\d\d:\d\d\x1b\[22m \x1b\[31mERROR\x1b\[39m e\n$/,
  )
})

test("without colours a terminal still gets a short time; with them a file keeps its dates", () => {
  expect(lines("err", "auto", true, "", false)[0]).toMatch(/^\d\d:\d\d:\d\d ERROR e\n$/)
  const forced = lines("err", "text", false, "", true)[0]
  expect(forced).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z \x1b\[31mERROR\x1b\[39m e\n$/)
  expect(lines("err", "json", false, "", true)[0]).not.toContain("\x1b")
})

test("without a terminal lines are JSON, unless text is asked for", () => {
  expect(JSON.parse(lines("err", "auto")[0] ?? "")).toMatchObject({ level: "err", msg: "e" })
  expect(lines("err", "text", true)).toEqual(lines("err", "auto", true))
})

test("json has the names of the settings' levels", () => {
  const parsed = lines("debug", "json", true, "worker 2").map((line) => JSON.parse(line))
  expect(parsed.map(({ level, msg }) => `${level} ${msg}`)).toEqual([
    "err e",
    "warn w",
    "info i",
    "debug d",
  ])
  expect(Object.keys(parsed[0])).toEqual(["time", "level", "msg", "process"])
  expect(JSON.parse(lines("err", "json")[0] ?? "")).not.toHaveProperty("process")
})

test("a line stays one line and does not steer a terminal", () => {
  const written: string[] = []
  const write = (line: string) => void written.push(line)
  for (const [format, terminal] of [
    ["text", false],
    ["text", true],
    ["json", false],
  ] as const) {
    createLog("info", format, { terminal, colour: terminal, write }).info(
      "a\nb\r\x1b[2Jc\u2028%s\x9b",
    )
  }
  for (const line of written) {
    expect(line.indexOf("\n")).toBe(line.length - 1)
    expect(line).not.toContain("\x1b[2J")
  }
  expect(written[0]).toEndWith(" a\\x0ab\\x0d\\x1b[2Jc\\x2028%s\\x9b\n")
})

test("repeated lines are all written", () => {
  const written: string[] = []
  const write = (line: string) => void written.push(line)
  const log = createLog("info", "text", { terminal: false, colour: false, write })
  for (let i = 0; i < 20; i++) log.info("same")
  expect(written).toBeArrayOfSize(20)
})

test("lines that were dropped are told before the next that is not", () => {
  const written: string[] = []
  const dropped = [0, 7, 0]
  const write = (line: string) => void written.push(line.slice(25))
  const target = { terminal: false, colour: false, write, dropped: () => dropped.shift() ?? 0 }
  const log = createLog("info", "text", target)
  for (const line of ["a", "b", "c"]) log.info(line)
  const warning = "WARN  7 log lines were dropped: nobody read them in time\n"
  expect(written).toEqual(["INFO  a\n", warning, "INFO  b\n", "INFO  c\n"])
})
