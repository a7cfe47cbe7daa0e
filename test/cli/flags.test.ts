/** The words of a command line: every form that is taken, every one that is refused. */
import { describe, expect, test } from "bun:test"
import { readFlags, readOptions, type Flag, type OptionsOf } from "../../src/cli/flags.ts"
import { boolean, duration, integer, list } from "../../src/config/schema/value-types.ts"

const common = { group: "Flags", help: "", defaultText: "" }
const flags: readonly Flag[] = [
  { name: "port", short: "p", type: integer(0, 9), ...common },
  { name: "host", short: "h", type: integer(0, 9), ...common },
  { name: "backend", short: "b", type: list(integer(0, 9), 9), ...common },
  { name: "log-level", short: "l", alias: "loglevel", type: integer(0, 9), ...common },
  { name: "trace", short: "t", type: boolean, ...common },
  { name: "insecure", short: "k", type: boolean, ...common },
]

function read(line: string, known = flags): Record<string, unknown> {
  const { values, help } = readFlags(line.split(" ").filter(Boolean), known)
  return { ...Object.fromEntries(values), ...(help ? { help } : {}) }
}

describe("taken", () => {
  test.each<[string, Record<string, unknown>]>([
    ["", {}],
    ["--port 80", { port: ["80"] }],
    ["--port=80", { port: ["80"] }],
    ["--port=", { port: [""] }],
    ["--port=a=b", { port: ["a=b"] }],
    ["-p 80", { port: ["80"] }],
    ["-p80", { port: ["80"] }],
    ["-p=80", { port: ["80"] }],
    ["-b a -b b --backend c --backend=d", { backend: ["a", "b", "c", "d"] }],
    ["--loglevel debug", { "log-level": ["debug"] }],
    ["-t --insecure", { trace: true, insecure: true }],
    ["-kt", { trace: true, insecure: true }],
    ["-ktp80", { trace: true, insecure: true, port: ["80"] }],
    ["-ktp 80", { trace: true, insecure: true, port: ["80"] }],
    ["--no-trace", { trace: false }],
    ["--trace=false", { trace: false }],
    ["--trace=yes --no-trace", { trace: false }],
    ["-p 80 --", { port: ["80"] }],
    ["--help", { help: true }],
    ["-h", { help: true }],
    ["-h 0.0.0.0", { host: ["0.0.0.0"] }],
    ["-h0.0.0.0", { host: ["0.0.0.0"] }],
    ["-h -p 80", { help: true, port: ["80"] }],
    ["-p 80 -th", { help: true, port: ["80"], trace: true }],
  ])("%s", (line, values) => {
    expect(read(line)).toEqual(values)
  })

  test("-h is help where there is no host", () => {
    expect(read("-h", [])).toEqual({ help: true })
  })
})

describe("refused", () => {
  test.each([
    ["--prot 80", "unknown flag --prot, did you mean --port?"],
    ["--prot=80", "unknown flag --prot, did you mean --port?"],
    ["--log_level x", "unknown flag --log_level, did you mean --log-level?"],
    ["--Port 1", "unknown flag --Port, did you mean --port?"],
    ["--no-trcae", "unknown flag --no-trcae, did you mean --no-trace?"],
    ["--no-port", "unknown flag --no-port, did you mean --port?"],
    ["--hlep", "unknown flag --hlep, did you mean --help?"],
    ["--zzzzzzzz", "unknown flag --zzzzzzzz, see --help"],
    ["-x", "unknown flag -x, see --help"],
    ["-tx", "unknown flag -x in -tx, see --help"],
    ["--port", "--port needs a value: --port N"],
    ["--port -t", "--port needs a value: --port N"],
    ["-p --trace", "-p needs a value: -p N"],
    ["-p 1 --port 2", "--port is given twice, keep one"],
    ["--trace=maybe", '--trace: expected true or false, got "maybe"'],
    ["word", 'unexpected argument "word", see --help'],
    ["-p 80 a:80", 'unexpected argument "a:80", did you mean -b a:80?'],
    ["-t false", 'unexpected argument "false", see --help'],
    ["-- -p", 'unexpected argument "-p", see --help'],
    ["-", 'unexpected argument "-", see --help'],
  ])("%s", (line, fault) => {
    expect(() => read(line)).toThrow(new Error(fault))
  })
})

describe("options of one command", () => {
  const options: OptionsOf<{ delay: number; tls: boolean; name: number | null }> = {
    delay: { name: "delay", type: duration(0, 1000), default: 7, ...common },
    tls: { name: "tls", type: boolean, default: false, ...common },
    name: { name: "the-name", type: integer(1, 9), default: null, ...common },
  }
  const asked = (line: string) =>
    readOptions(readFlags(line.split(" ").filter(Boolean), Object.values(options)), options)

  test("have their defaults and their types", () => {
    expect(asked("")).toEqual({ delay: 7, tls: false, name: null })
    expect(asked("--delay 1s --tls --the-name 3")).toEqual({ delay: 1_000, tls: true, name: 3 })
  })

  test("tell all that is wrong", () => {
    expect(() => asked("--delay 5 --the-name 10")).toThrow(
      "--delay: 5 has no unit, write 5ms, 5s, 5m or 5h\n" +
        '--the-name: expected a whole number from 1 to 9, got "10"',
    )
  })
})
