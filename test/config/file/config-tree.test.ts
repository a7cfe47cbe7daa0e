/** Where keys stand in YAML, TOML and JSON, in every style that people write them. */
import { describe, expect, test } from "bun:test"
import { parseConfig, type FileFormat } from "../../../src/config/file/config-tree.ts"
import { locateFlow } from "../../../src/config/file/flow-locator.ts"

const yaml = `# comment: not a key
%YAML 1.2
---
port: 8080 # a comment: with a colon
"host" : 'it''s: quoted'
backends:
- 10.0.0.1:80
- host: a
  port: 81   
-   host: b
    port: 82
-
  host: c
  port: 83
- { host: d, port: 84, "weight": 2 }
- [x, {deep: 1}]
flow: {a: 1, b: [1, 2,
  {c: "}: ,"}], d: http://x:80}

text: |
  backends: "no
   port: no
folded: >-
    pool: no
after:
    health:
        path: /x
        list:
        - 1
        -  y: 2
    last: "a
      b: c"
end: 1
`

const toml = `# comment = 1
port = 8080
"host" = "a = b"
backends = [
  "10.0.0.1:80", # one = 1
  { host = "a", port = 81 },
]
text = """
pool = 1
"""
health.path = "/"

[timeouts]
connect = "1s"
  drain = "2s"
[[more]]
host = "x"
[[more]]
host = "y"
`

const json = `{
  "port": 8080,
  "backends": [{"host": "a:\\"b", "port": 81}, "b:82",
    { "host": "c", "x": {"y": [1, {"z": 2}]} }],
  "end": 1
}`

/** The text at the place of each path, one word of it. */
function words(text: string, format: FileFormat, paths: readonly string[]): string[] {
  const tree = parseConfig(`x.${format}`, text, format)
  return paths.map((path) => {
    const place = tree.place(path)
    const line = place ? (text.split("\n")[place.line - 1] ?? "") : "?"
    return `${path} ${/^[^\s,:=]+/.exec(line.slice((place?.column ?? 1) - 1))?.[0]}`
  })
}

describe("places", () => {
  test("YAML", () => {
    const found = {
      port: "port",
      host: '"host"',
      backends: "backends",
      "backends[0]": "10.0.0.1",
      "backends[1]": "host",
      "backends[1].port": "port",
      "backends[2].host": "host",
      "backends[2].port": "port",
      "backends[3].host": "host",
      "backends[3].port": "port",
      "backends[4]": "{",
      "backends[4].weight": '"weight"',
      "backends[5][0]": "x",
      "backends[5][1].deep": "deep",
      "flow.a": "a",
      "flow.b[1]": "2",
      "flow.b[2].c": "c",
      "flow.d": "d",
      "after.health.path": "path",
      "after.health.list[0]": "1",
      "after.health.list[1].y": "y",
      "after.last": "last",
      end: "end",
    }
    const expected = Object.entries(found).map(([path, word]) => `${path} ${word}`)
    expect(words(yaml, "yaml", Object.keys(found))).toEqual(expected)
    const lines = ["backends[2].port", "backends[3].port", "end"].map(
      (path) => parseConfig("x", yaml, "yaml").place(path)?.line,
    )
    expect(lines).toEqual([11, 14, 33])
  })

  test("TOML", () => {
    const found = {
      port: "port",
      host: '"host"',
      "backends[0]": '"10.0.0.1',
      "backends[1]": "{",
      "backends[1].port": "port",
      "health.path": "health.path",
      timeouts: "[timeouts]",
      "timeouts.connect": "connect",
      "timeouts.drain": "drain",
      "more[0].host": "host",
      "more[1].host": "host",
    }
    const expected = Object.entries(found).map(([path, word]) => `${path} ${word}`)
    expect(words(toml, "toml", Object.keys(found))).toEqual(expected)
    expect(parseConfig("x", toml, "toml").place("more[1].host")).toEqual({ line: 19, column: 1 })
  })

  test("JSON", () => {
    const tree = parseConfig("x.json", json, "json")
    expect(tree.place("port")).toEqual({ line: 2, column: 3 })
    expect(tree.place("backends[0].port")).toEqual({ line: 3, column: 34 })
    expect(tree.place("backends[1]")).toEqual({ line: 3, column: 47 })
    expect(tree.place("backends[2].x.y[1].z")).toEqual({ line: 4, column: 36 })
    expect(tree.place("end")).toEqual({ line: 5, column: 3 })
    expect(tree.place("pool")).toBeNull()
  })

  test("JSON written in a .yaml file", () => {
    const tree = parseConfig("x.yaml", json, "yaml")
    expect(tree.place("backends[2].x.y[1].z")).toEqual({ line: 4, column: 36 })
  })

  test("Windows line ends and a byte order mark change nothing", () => {
    const tree = parseConfig("x.yaml", "\uFEFFport: 1\r\nhealth:\r\n  path: /\r\n", "yaml")
    expect(tree.root).toEqual({ port: 1, health: { path: "/" } })
    expect(tree.place("health.path")).toEqual({ line: 3, column: 3 })
    expect(parseConfig("x.json", '\uFEFF{"port": 1}', "json").root).toEqual({ port: 1 })
  })
})

test("keys written twice are told, unless the parser refuses them itself", () => {
  const twice = "port: 1\nhealth:\n  path: /\n  path: /x\nport: 2\n"
  expect(parseConfig("x", twice, "yaml").duplicates).toEqual(["health.path", "port"])
  expect(parseConfig("x", '{"a": 1, "b": {"a": 1}, "a": 2}', "json").duplicates).toEqual(["a"])
  expect(() => parseConfig("x", "a = 1\na = 2\n", "toml")).toThrow("Cannot redefine key 'a'")
})

test("an empty file is an empty tree", () => {
  for (const format of ["yaml", "toml", "json"] as const) {
    expect(parseConfig("x", "", format).root).toEqual({})
  }
  expect(parseConfig("x", "# nothing\n", "yaml").root).toEqual({})
})

test("an escaped quote does not end a string", () => {
  const tree = parseConfig("x.json", '{"a": "\\"}", "b\\"": 1, "port": 1}', "json")
  expect(tree.place("port")).toEqual({ line: 1, column: 24 })
})

test("text that no parser takes does not hold the flow locator", () => {
  for (const text of ["[}", "{]", "[[}", "{a: ]"]) {
    expect(locateFlow(text, 0, "", () => {})).toBeGreaterThan(0)
  }
})

test("no text holds the locators for ever", () => {
  const pieces = ["{", "[", "]", "}", ",", ":", "- ", "\n", '"', "'", "a", " ", "=", "#", "|", "[["]
  let seed = 7
  for (let round = 0; round < 3_000; round++) {
    let text = ""
    for (let length = round % 24; length >= 0; length--) {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
      text += pieces[seed % pieces.length]
    }
    for (const format of ["yaml", "toml", "json"] as const) {
      try {
        parseConfig("x", text, format)
      } catch (error) {
        expect((error as Error).name).toBe("ConfigSyntaxError")
      }
    }
  }
})
