/** Backends changed in the text of a file: what was asked for and nothing else, in every style of writing. */
import { describe, expect, test } from "bun:test"
import { backendList } from "../../../src/config/schema/backend.ts"
import { edited, editsBetween } from "../../../src/config/file/backend-edits.ts"
import { parseConfig, type FileFormat } from "../../../src/config/file/config-tree.ts"
import type { BackendSettings } from "../../../src/config/schema/settings.ts"
import { rng } from "../../support/until.ts"
import { reading } from "../reading.ts"

/** The list at `path`, as parsed. */
function rawAt(text: string, format: FileFormat, path: string): readonly unknown[] {
  let value = parseConfig("f", text, format).root
  for (const word of path.split(".")) value = (value as Record<string, unknown>)[word]
  return value as readonly unknown[]
}

const read = (
  text: string,
  format: FileFormat,
  path: string = "backends",
): readonly BackendSettings[] => {
  const list = reading(backendList, rawAt(text, format, path))
  if (typeof list === "string") throw new Error(`${list} in:\n${text}`)
  return list
}

/** The text whose backends are `wanted`. */
function rewritten(
  text: string,
  format: FileFormat,
  wanted: readonly BackendSettings[],
  path: string = "backends",
): string {
  let page = text
  for (const edit of editsBetween(read(text, format, path), wanted)) {
    const next = edited(page, format, { path, raw: rawAt(page, format, path) }, edit)
    if (next === null) throw new Error(`cannot ${JSON.stringify(edit)} in:\n${page}`)
    page = next
  }
  return page
}

/** The same list in a pool, and in the short form of a pool, where the text can be written so. */
function inPool(text: string, format: FileFormat): readonly (readonly [string, string])[] {
  const LONG = "pools.api.backends"
  if (format === "json") return [[`{"pools": {"api": ${text}}}`, LONG]]
  if (format === "toml") {
    const table = text.replaceAll("[[backends]]", "[[pools.api.backends]]")
    if (table !== text) return [[table, LONG]]
    return [
      [text.replace("backends = [", "[pools.api]\nbackends = ["), LONG],
      [text.replace("backends = [", "[pools]\napi.backends = ["), LONG],
      [text.replace("backends = [", "[pools]\napi = ["), "pools.api"],
    ]
  }
  const indented = (by: string, page: string) => page.replaceAll(/^(?=.)/gm, by)
  if (text.startsWith("backends: [")) {
    return [
      [text.replace(/^backends: (\[.*\])/, "pools: { api: { backends: $1 } }"), LONG],
      [text.replace(/^backends: (\[.*\])/, "pools: { x: [z:1], api: $1 }"), "pools.api"],
      [text.replace(/^backends: (\[.*\])/, "pools:\n  api: $1"), "pools.api"],
    ]
  }
  return [
    [`pools:\n  api:\n${indented("    ", text)}  web: [z:1]\n`, LONG],
    [`pools:\n${indented("  ", text.replace("backends:", "api:"))}`, "pools.api"],
  ]
}

const added = (line: string): BackendSettings => {
  const [backend] = read(JSON.stringify({ backends: [line] }), "json")
  if (backend === undefined) throw new Error(line)
  return backend
}

type Change = (list: readonly BackendSettings[]) => readonly BackendSettings[]
const having = (at: number, more: Partial<BackendSettings>): Change => {
  return (list) => list.map((each, i) => (i === at ? { ...each, ...more } : each))
}
const without =
  (at: number): Change =>
  (list) =>
    list.filter((_, i) => i !== at)
const plus =
  (line: string): Change =>
  (list) => [...list, added(line)]

const yaml = `# our servers
port: 80
backends: # three
  - 10.0.0.1:80 # the old one
  # the new ones
  - "10.0.0.2:80,weight=3"   # fast
  - host: c
    port: 80 # usual

    weight: 2 # slow
  - { host: d, port: 80 }
strategy: weighted # last
`

const toml = `port = 80
backends = [
  "10.0.0.1:80", # the old one
  '10.0.0.2:80,weight=3',
  { host = "c", port = 80 }, # slow
]

[health]
path = "/healthz"
`

const tables = `port = 80

[[backends]]
host = "10.0.0.1" # the old one
port = 80

# the new one
[[backends]]
host = "10.0.0.2"
port = 80
weight = 3

[health]
path = "/healthz"
`

const json = `{
  "backends": [
    { "host": "10.0.0.1", "port": 80, "weight": 1 },
    {
      "host": "10.0.0.2",
      "port": 80
    },
    "c:80"
  ],
  "port": 80
}
`

const line = '{"port":80,"backends":["a:80","b:80,weight=2"]}'
const flow = `backends: ["a:80", {host: b, port: 80}, 'c:80,weight=2'] # all\nport: 80\n`

describe("changes what was asked for, and nothing else", () => {
  const cases: readonly (readonly [string, string, FileFormat, Change, string, string])[] = [
    ["YAML word", yaml, "yaml", having(0, { weight: 5 }), ":80 # the", ":80,weight=5 # the"],
    ["YAML quoted", yaml, "yaml", having(1, { weight: 1 }), ":80,weight=3", ":80"],
    ["YAML quoted", yaml, "yaml", having(1, { weight: 9 }), "weight=3", "weight=9"],
    ["YAML block", yaml, "yaml", having(2, { weight: 9 }), "weight: 2 #", "weight: 9 #"],
    [
      ...(["YAML block, more", yaml, "yaml", having(2, { duty: "off" })] as const),
      ...(["2 # slow\n", "2 # slow\n    disabled: true\n"] as const),
    ],
    ["YAML flow", yaml, "yaml", having(3, { duty: "drain" }), "80 }", "80, drain: true }"],
    ["YAML remove", yaml, "yaml", without(0), "  - 10.0.0.1:80 # the old one\n", ""],
    [
      ...(["YAML remove block", yaml, "yaml", without(2)] as const),
      ...(["  - host: c\n    port: 80 # usual\n\n    weight: 2 # slow\n", ""] as const),
    ],
    ["YAML remove last", yaml, "yaml", without(3), "  - { host: d, port: 80 }\n", ""],
    [
      ...(["YAML add", yaml, "yaml", plus("e:80,weight=2")] as const),
      ...(["d, port: 80 }\n", "d, port: 80 }\n  - e:80,weight=2\n"] as const),
    ],
    [
      ...(["YAML add IPv6", yaml, "yaml", plus("[::1]:80")] as const),
      ...(["d, port: 80 }\n", 'd, port: 80 }\n  - "[::1]:80"\n'] as const),
    ],
    ["YAML in a line", flow, "yaml", having(0, { weight: 3 }), "a:80", "a:80,weight=3"],
    ["YAML in a line", flow, "yaml", having(1, { weight: 3 }), "80}", "80, weight: 3}"],
    ["YAML in a line", flow, "yaml", having(2, { weight: 3 }), "weight=2", "weight=3"],
    ["YAML in a line", flow, "yaml", without(1), "{host: b, port: 80}, ", ""],
    ["YAML in a line", flow, "yaml", without(2), ", 'c:80,weight=2'", ""],
    ["YAML in a line", flow, "yaml", plus("d:80"), "=2']", '=2\', "d:80"]'],
    ["TOML word", toml, "toml", having(0, { weight: 5 }), '1:80"', '1:80,weight=5"'],
    ["TOML literal", toml, "toml", having(1, { duty: "drain" }), "=3'", "=3,drain'"],
    ["TOML table", toml, "toml", having(2, { weight: 5 }), "80 }", "80, weight = 5 }"],
    ["TOML remove", toml, "toml", without(0), '  "10.0.0.1:80", # the old one\n', ""],
    [
      ...(["TOML remove last", toml, "toml", without(2)] as const),
      ...(['  { host = "c", port = 80 }, # slow\n', ""] as const),
    ],
    ["TOML add", toml, "toml", plus("d:80"), "# slow\n", '# slow\n  "d:80",\n'],
    ["TOML tables", tables, "toml", having(1, { weight: 5 }), "weight = 3", "weight = 5"],
    [
      ...(["TOML tables, more", tables, "toml", having(0, { weight: 5 })] as const),
      ...(["port = 80\n\n#", "port = 80\nweight = 5\n\n#"] as const),
    ],
    [
      ...(["TOML tables, remove", tables, "toml", without(0)] as const),
      ...(['[[backends]]\nhost = "10.0.0.1" # the old one\nport = 80\n', ""] as const),
    ],
    [
      ...(["TOML tables, add", tables, "toml", plus("https://d,backup,weight=2")] as const),
      "weight = 3\n",
      'weight = 3\n\n[[backends]]\nhost = "d"\nport = 443\nweight = 2\nbackup = true\n',
    ],
    [
      ...([
        "TOML tables, add what DNS says",
        tables,
        "toml",
        plus("srv+https://_s._tcp.d"),
      ] as const),
      "weight = 3\n",
      'weight = 3\n\n[[backends]]\nhost = "_s._tcp.d"\ndiscover = "srv"\ntls = true\n',
    ],
    [
      ...(["YAML add what DNS says", yaml, "yaml", plus("dns+http://d:80,weight=2")] as const),
      "  - { host: d, port: 80 }\n",
      '  - { host: d, port: 80 }\n  - "dns+http://d:80,weight=2"\n',
    ],
    ["JSON", json, "json", having(0, { weight: 5 }), '"weight": 1', '"weight": 5'],
    [
      ...(["JSON, more", json, "json", having(1, { weight: 5 })] as const),
      ...(['"port": 80\n    }', '"port": 80,\n      "weight": 5\n    }'] as const),
    ],
    ["JSON word", json, "json", having(2, { weight: 5 }), '"c:80"', '"c:80,weight=5"'],
    [
      "JSON remove",
      json,
      "json",
      without(0),
      '    { "host": "10.0.0.1", "port": 80, "weight": 1 },\n',
      "",
    ],
    ["JSON remove last", json, "json", without(2), ',\n    "c:80"\n', "\n"],
    ["JSON add", json, "json", plus("d:80"), '"c:80"\n', '"c:80",\n    "d:80"\n'],
    ["JSON in a line", line, "json", having(0, { duty: "drain" }), "a:80", "a:80,drain"],
    ["JSON in a line", line, "json", without(0), '"a:80",', ""],
    ["JSON in a line", line, "json", without(1), ',"b:80,weight=2"', ""],
    ["JSON in a line", line, "json", plus("d:80"), '2"]', '2", "d:80"]'],
  ]
  test.each(cases)("%s %#", (_what, text, format, change, from, to) => {
    const expected = text.replace(from, () => to)
    expect(expected).not.toBe(text)
    const wanted = change(read(text, format))
    expect(rewritten(text, format, wanted)).toBe(expected)
    expect(read(expected, format)).toEqual(wanted as BackendSettings[])
    // The edit is the same wherever the list stands.
    for (const [at, [page, path]] of inPool(text, format).entries()) {
      const [there] = inPool(expected, format)[at] ?? []
      expect(rewritten(page, format, wanted, path)).toBe(there ?? "")
    }
  })
})

test("line ends and a missing last one stay as they are", () => {
  const text = "backends:\r\n- a:80\r\n- b:80"
  const list = read(text, "yaml")
  const wanted = [...having(0, { weight: 2 })(list), added("c:80")]
  expect(rewritten(text, "yaml", wanted)).toBe("backends:\r\n- a:80,weight=2\r\n- b:80\r\n- c:80")
})

test("what cannot be found is not changed", () => {
  const change = { kind: "set", at: 0, option: "weight", value: 2 } as const
  const anchored = "x: &a a:80\nbackends:\n  - *a\n"
  expect(edited(anchored, "yaml", { path: "backends", raw: ["a:80", "b:80"] }, change)).toBeNull()
  expect(edited("port: 80\n", "yaml", { path: "backends", raw: [] }, change)).toBeNull()
  expect(edited("backends: [a]\n", "yaml", { path: "backends", raw: [7] }, change)).toBeNull()
})

/** Any list of changes, in any style, one after the other. */
test("whatever is changed reads as it was wanted, and comments stay", () => {
  const random = rng(7)
  for (const [text, format] of [
    [yaml, "yaml"],
    [toml, "toml"],
    [tables, "toml"],
    [json, "json"],
    [line, "json"],
    [flow, "yaml"],
  ] as const) {
    const others = (page: string) => {
      const { backends: _, ...rest } = parseConfig("f", page, format).root as Record<
        string,
        unknown
      >
      return rest
    }
    let page: string = text
    for (let step = 0; step < 150; step++) {
      const list = read(page, format)
      const at = random.between(0, list.length - 1)
      const weight = random.between(1, 5)
      const dice = random.between(0, 5)
      const duty = random.pick<"drain" | "off" | undefined>([undefined, "drain", "off"])
      const { duty: _, ...plain } = list[at] ?? added("x:1")
      const next = duty === undefined ? plain : { ...plain, duty }
      const change: Change =
        dice < 2
          ? having(at, { weight })
          : dice < 4
            ? (all) => all.map((each, i) => (i === at ? next : each))
            : dice === 4 && list.length > 1
              ? without(at)
              : plus(`h${step}:80${weight > 1 ? `,weight=${weight}` : ""}`)
      const wanted = change(list)
      page = rewritten(page, format, wanted)
      expect(read(page, format)).toEqual(wanted as BackendSettings[])
      expect(others(page)).toEqual(others(text))
    }
    for (const comment of [
      "# our servers",
      "# three",
      "# the new ones",
      "# last",
      "# the new one\n",
    ]) {
      if (text.includes(comment)) expect(page).toContain(comment)
    }
  }
})
