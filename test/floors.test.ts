/**
 * The house has floors: a file imports from its own floor or a lower one, so that what is below can be read, tested
 * and trusted without what is above. The ground floor is pure: no sockets, no processes, no clock of its own.
 */
import { expect, test } from "bun:test"
import { basename, dirname } from "node:path"
import { codeOf, exists, importsOf, sourceFiles } from "./support/source.ts"
import type { SourceFile } from "./support/source.ts"

const floors: Readonly<Record<string, number>> = {
  core: 0,
  http: 0,
  h1: 0,
  balance: 0,
  health: 0,
  config: 0,
  observe: 0,
  net: 1,
  proxy: 2,
  worker: 3,
  master: 4,
  admin: 5,
  ha: 5,
  service: 5,
  demo: 5,
  cli: 6,
  "main.ts": 6,
  "index.ts": 6,
  "options.ts": 0,
}

/** The files of a folder that others may import. All its other files are its inside. */
const doors: Readonly<Record<string, readonly string[]>> = {
  "src/admin": ["server"],
  "src/config/file": ["backend-edits", "config-tree", "plain-file", "read-file", "replace-file"],
  "src/ha": ["keepalived", "stray-packets", "watched-addresses", "watcher"],
  "src/master/control": [
    ...["control", "controlled-fleet", "explain", "host-services", "outcome", "overrides"],
    ...["refused", "saved-changes"],
  ],
  "src/master/upgrade": ["handover", "predecessor", "upgrader"],
  "src/net/names": ["address-book", "name-service", "resolver"],
  "src/net/tls": ["authorities", "tls-client"],
  "src/proxy/backend": ["backend-connection", "backend-stream", "backend-user", "pool", "upstream"],
  "src/proxy/client": ["client-connection", "client-listener", "clients", "departure"],
  "src/proxy/exchange": ["client-stream", "exchange", "tunnel"],
  "src/worker": ["descriptors", "log-destination", "types", "worker"],
}

/** Where time comes in: the clock that everyone else is given, pauses in long work, and the time stamp of log lines. */
const clocks = ["src/core/clock.ts", "src/core/slices.ts", "src/observe/console-log.ts"]
const impureModules =
  /^(node:)?(net|tls|http|https|http2|dgram|dns|child_process|cluster)$|^bun:ffi$/
/** What is pure in them. */
const pureNames = ["isIP", "isIPv4", "isIPv6"]
const impureCalls =
  /\bBun\.(connect|listen|serve|spawn|spawnSync|udpSocket|sleep|dns)\b|\bfetch\(|\bset(Timeout|Interval|Immediate)\(/
const clockCalls = /\b(Date|performance)\.now\(/

const runtimePackages = ["citty", "consola", "consola/core"]

const src = sourceFiles("src")

test("a file imports only from its own floor or a lower one", () => {
  const climbing = { path: "src/net/dial.ts", text: 'import { a } from "../proxy/pool.ts"\n' }
  expect(climbs(climbing)).toEqual(["src/net/dial.ts (1) imports src/proxy/pool.ts (2)"])
  const late = { path: "src/http/head.ts", text: 'const a = await import("../net/dial.ts")\n' }
  expect(climbs(late)).toHaveLength(1)
  expect(climbs({ ...climbing, path: "src/worker/worker.ts" })).toEqual([])
  expect(src.flatMap(climbs)).toEqual([])
})

test("every room has a floor, and every relative import leads to a file", () => {
  expect(src.filter(({ path }) => floorOf(path) === null).map(({ path }) => path)).toEqual([])
  const lost = { path: "src/net/dial.ts", text: 'import { a } from "./nowhere.ts"\n' }
  expect(deadEnds(lost)).toHaveLength(1)
  expect(src.flatMap(deadEnds)).toEqual([])
})

/** Files that import each other in a circle of folders cannot be understood one folder at a time. */
test("folders form no circle", () => {
  const there = { path: "src/net/tls/a.ts", text: 'import { b } from "../dial.ts"\n' }
  const back = { path: "src/net/dial.ts", text: 'import { a } from "./tls/a.ts"\n' }
  expect(circles([there, back])).toEqual(["src/net", "src/net/tls"])
  expect(circles([there])).toEqual([])
  expect(circles(src)).toEqual([])
})

test("a file enters another folder by its door", () => {
  const reaching = { path: "src/cli/a.ts", text: 'import { b } from "../admin/guard.ts"\n' }
  expect(intrusions(reaching)).toEqual(["src/cli/a.ts imports src/admin/guard.ts"])
  expect(intrusions({ ...reaching, path: "src/admin/a.ts" })).toEqual([])
  const gone = Object.entries(doors).flatMap(([folder, names]) =>
    names.map((name) => `${folder}/${name}.ts`).filter((path) => !exists(path)),
  )
  expect(gone).toEqual([])
  expect(src.flatMap(intrusions)).toEqual([])
})

test("src stays in src, and takes only the two packages of the runtime", () => {
  const strangers = (file: SourceFile): string[] =>
    importsOf(file)
      .map(({ from }) => from)
      .filter((from) => !/^(src\/|node:|bun$|bun:|package\.json$)/.test(from))
      .filter((from) => !runtimePackages.includes(from))
      .map((from) => `${file.path} imports ${from}`)
  const text = 'import a from "left-pad"\nimport { b } from "../../test/b.ts"\n'
  expect(strangers({ path: "src/net/dial.ts", text })).toHaveLength(2)
  expect(src.flatMap(strangers)).toEqual([])
})

test("the ground floor is pure", () => {
  const canaries = [
    'import { connect } from "node:net"\n',
    "const socket = Bun.connect(options)\n",
    "setTimeout(go, 5)\n",
    "const now = performance.now()\n",
  ]
  for (const text of canaries) expect(impurities({ path: "src/health/a.ts", text })).toHaveLength(1)
  expect(impurities({ path: "src/net/a.ts", text: canaries.join("") })).toEqual([])
  expect(src.flatMap(impurities)).toEqual([])
})

/** The floor of a file of src, or null for a room that the table does not know. */
function floorOf(path: string): number | null {
  return floors[path.split("/")[1] ?? ""] ?? null
}

function climbs(file: SourceFile): string[] {
  const own = floorOf(file.path)
  return importsOf(file).flatMap(({ from }) => {
    if (!from.startsWith("src/")) return []
    const other = floorOf(from)
    const fine = own !== null && other !== null && other <= own
    return fine ? [] : [`${file.path} (${own}) imports ${from} (${other})`]
  })
}

function intrusions(file: SourceFile): string[] {
  return importsOf(file)
    .filter(({ from }) => {
      const names = doors[dirname(from)]
      const isInside = dirname(from) === dirname(file.path)
      return names !== undefined && !isInside && !names.includes(basename(from, ".ts"))
    })
    .map(({ from }) => `${file.path} imports ${from}`)
}

/** The folders that can be reached from themselves over imports. */
function circles(files: readonly SourceFile[]): string[] {
  const imports = new Map<string, Set<string>>()
  for (const file of files) {
    const own = dirname(file.path)
    const others = imports.get(own) ?? new Set<string>()
    imports.set(own, others)
    for (const { from } of importsOf(file)) {
      const other = dirname(from)
      if (from.startsWith("src/") && other !== own && other !== "src") others.add(other)
    }
  }
  const reached = (start: string): Set<string> => {
    const seen = new Set<string>()
    const waiting = [...(imports.get(start) ?? [])]
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (seen.has(next)) continue
      seen.add(next)
      waiting.push(...(imports.get(next) ?? []))
    }
    return seen
  }
  return [...imports.keys()].filter((folder) => reached(folder).has(folder)).toSorted()
}

function deadEnds(file: SourceFile): string[] {
  return importsOf(file)
    .filter(({ from }) => from.startsWith("src/") && !exists(from))
    .map(({ from }) => `${file.path} imports ${from}`)
}

function impurities(file: SourceFile): string[] {
  if (floorOf(file.path) !== 0) return []
  const modules = importsOf(file).filter(
    ({ from, names }) =>
      impureModules.test(from) && !(names ?? [""]).every((name) => pureNames.includes(name)),
  )
  const lines = codeOf(file.text).split("\n")
  const calls = lines.filter(
    (line) => !clocks.includes(file.path) && (impureCalls.test(line) || clockCalls.test(line)),
  )
  return [...modules.map(({ from }) => from), ...calls].map(
    (what) => `${file.path}: ${what.trim()}`,
  )
}
