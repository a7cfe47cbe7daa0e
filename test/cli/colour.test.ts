/** Colour: the variables that switch it on and off, for every kind of output of the real program. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { hasColour } from "../../src/observe/colour.ts"
import { RunningBunlb } from "../e2e/running-bunlb.ts"
import { bunlbCommand, spawnBunlb } from "../support/processes.ts"
import { inTerminals, runInTerminal } from "../support/pty.ts"

type Variables = Readonly<Record<string, string>>

const cases: readonly (readonly [Variables, terminal: boolean, otherwise: boolean])[] = [
  [{}, true, false],
  [{ TERM: "xterm" }, true, false],
  [{ TERM: "dumb" }, false, false],
  [{ NO_COLOR: "1" }, false, false],
  [{ NO_COLOR: "0" }, false, false],
  [{ NO_COLOR: "" }, true, false],
  [{ FORCE_COLOR: "1" }, true, true],
  [{ FORCE_COLOR: "3" }, true, true],
  [{ FORCE_COLOR: "true" }, true, true],
  [{ FORCE_COLOR: "0" }, false, false],
  [{ FORCE_COLOR: "false" }, false, false],
  [{ FORCE_COLOR: "" }, true, false],
  [{ FORCE_COLOR: "1", TERM: "dumb" }, true, true],
  [{ FORCE_COLOR: "1", NO_COLOR: "1" }, true, true],
  [{ CLICOLOR: "0" }, false, false],
  [{ CLICOLOR: "1" }, true, false],
  [{ CLICOLOR_FORCE: "1" }, true, true],
  [{ CLICOLOR_FORCE: "0" }, true, false],
  [{ CLICOLOR_FORCE: "1", NO_COLOR: "1" }, false, false],
]

test.each(cases)("%j", (variables, terminal, otherwise) => {
  expect([hasColour(variables, true), hasColour(variables, false)]).toEqual([terminal, otherwise])
})

const { PATH } = process.env
const ESCAPE = "\x1b["

/** Each kind of output, with what it shows without colour. */
const outputs = (admin: string): readonly (readonly [string, readonly string[], RegExp])[] => [
  ["an error", ["--prot", "80"], /bunlb: unknown flag/],
  ["check", ["check", "-b", "10.0.0.1:80"], /warning: .*\r?\n?ok: 1 backend/],
  ["status", ["status", "--admin", admin], /BACKEND +STATE.*\r?\n.* up /],
  ["health", ["health", "--admin", admin], /healthy/],
  ["explain", ["explain", "--admin", admin], /BACKEND +REQUESTS/],
  ["help", ["--help"], /Usage: /],
]

describe("the real program", () => {
  let bunlb: RunningBunlb
  let backend: Bun.Server<undefined>
  beforeAll(async () => {
    backend = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("ok") })
    bunlb = await RunningBunlb.start([{ port: backend.port ?? 0 }], ["-m", "sp"])
  })
  afterAll(async () => {
    await bunlb[Symbol.asyncDispose]()
    await backend.stop(true)
  })

  const shown: readonly (readonly [Variables, boolean])[] = [
    [{ TERM: "xterm" }, true],
    [{ TERM: "xterm", NO_COLOR: "1" }, false],
    [{ TERM: "dumb" }, false],
  ]
  inTerminals("colours in a terminal").each(shown)(
    "in a terminal, %j: coloured %j",
    async (variables, coloured) => {
      for (const [what, words, plain] of outputs(`127.0.0.1:${bunlb.adminPort}`)) {
        const command = [...bunlbCommand(), ...words]
        const { text } = await runInTerminal(command, { env: { PATH, ...variables } })
        expect(text.includes(ESCAPE), `${what}: ${text}`).toBe(coloured)
        expect(Bun.stripANSI(text), what).toMatch(plain)
      }
    },
  )

  inTerminals("coloured log lines").each(shown)(
    "log lines in a terminal, %j: coloured %j",
    async (variables, coloured) => {
      const port = ["-h", "127.0.0.1", "-p", "0", "--admin", "off", "-b", "127.0.0.1:9"]
      for (const mode of ["sp", "mp"]) {
        const command = [...bunlbCommand(), ...port, "-m", mode, "-w", "1"]
        const options = { env: { PATH, ...variables }, stopAt: /INFO.* -> 1 backend/ }
        const { code, text } = await runInTerminal(command, options)
        expect([code, text.includes(ESCAPE)]).toEqual([0, coloured])
      }
    },
  )

  test.each([
    [{ FORCE_COLOR: "1" }, true],
    [{ CLICOLOR_FORCE: "1" }, true],
    [{ FORCE_COLOR: "0" }, false],
    [{}, false],
  ] as const)("through a pipe, %j: coloured %j", async (variables, coloured) => {
    const env = { NO_COLOR: undefined, TERM: "xterm", ...variables }
    for (const [what, words, plain] of outputs(`127.0.0.1:${bunlb.adminPort}`)) {
      await using program = spawnBunlb(words, { env })
      await program.exited()
      const text = program.lines.join("\n")
      expect(text.includes(ESCAPE), what).toBe(coloured)
      if (what !== "check") expect(Bun.stripANSI(text), what).toMatch(plain)
    }
    const words = ["-h", "127.0.0.1", "-p", "0", "--admin", "off", "-b", "127.0.0.1:9"]
    for (const format of ["text", "json"]) {
      await using program = spawnBunlb(words, { env: { ...env, BUNLB_LOG_FORMAT: format } })
      await program.line(/ -> 1 backend/)
      expect(program.lines.join("\n").includes(ESCAPE)).toBe(coloured && format === "text")
    }
  })
})
