/** Errors at the top: whose fault it is decides the exit code, and none shows a stack unasked. */
import { expect, test } from "bun:test"
import { command } from "../../src/cli/command.ts"
import { runCommandLine } from "../../src/cli/command-line.ts"
import type { Terminal } from "../../src/cli/terminal.ts"
import { settingFlags } from "../../src/cli/setting-flags.ts"
import { BunlbError } from "../../src/core/errors.ts"

async function ending(error: unknown, words: readonly string[] = []) {
  const complaints: string[] = []
  const terminal: Terminal = {
    out: () => {},
    complain: (line) => void complaints.push(line),
    environment: {},
    paint: (_style, text) => text,
    paintComplaint: (_style, text) => text,
    machine: { cpus: 1, platform: "linux", privileged: false },
  }
  const run = command({
    name: "run",
    description: "",
    usage: "",
    flags: settingFlags,
    async run() {
      if (typeof error === "number") return error
      throw error
    },
  })
  const code = await runCommandLine({ run: async () => run }, words, terminal)
  return { code, complaints }
}

test("the command's number is the exit code", async () => {
  expect(await ending(0)).toEqual({ code: 0, complaints: [] })
  expect(await ending(1)).toEqual({ code: 1, complaints: [] })
})

test("what the person must change is 2, what the world must change is 1", async () => {
  const fault = new BunlbError("BUNLB_E_CONFIG", "config: a\nconfig: b")
  expect(await ending(fault)).toEqual({
    code: 2,
    complaints: ["bunlb: config: a", "bunlb: config: b"],
  })
  const taken = new BunlbError("BUNLB_E_PORT_IN_USE", "port 80 is in use")
  expect(await ending(taken)).toEqual({ code: 1, complaints: ["bunlb: port 80 is in use"] })
})

test("our own error is one line, and its stack is for debug only", async () => {
  const bug = new TypeError("x is\n  not a function")
  const line = "bunlb: internal error: x is not a function"
  expect(await ending(bug)).toEqual({ code: 1, complaints: [line] })
  for (const words of [
    ["-l", "debug"],
    ["-ldebug"],
    ["--log-level=debug"],
    ["--loglevel", "debug"],
  ]) {
    const { complaints } = await ending(bug, words)
    expect(complaints[0]).toBe(line)
    expect(complaints[1]).toContain("command-line.test.ts")
  }
  expect(await ending("thrown text")).toEqual({
    code: 1,
    complaints: ["bunlb: internal error: thrown text"],
  })
})
