/** What makes no sense about listeners and pools together, and what is wrong about the words of flags. */
import { describe, expect, test } from "bun:test"
import type { FileFormat } from "../../src/config/file/config-tree.ts"
import { ADDRESS, faults, type Said } from "./said.ts"

describe("what makes no sense together", () => {
  test.each<[string, string[]]>([
    [
      "port: 81\nhost: 10.0.0.1\nbackends: [a:80]\nlisteners: { w: ':80' }",
      [
        'x.yaml:1:1: port: beside listeners write default: "10.0.0.1:81" among them ' +
          "instead of port and host",
      ],
    ],
    [
      "port: 81\nbackends: [a:80]\nlisteners: { w: ':80' }",
      ['x.yaml:1:1: port: beside listeners write default: ":81" among them instead of port'],
    ],
    [
      "backends: [a:80]\npools: { default: [b:80] }",
      [
        "x.yaml:1:1: backends: these are the backends of the pool default, " +
          "which is among pools too: keep one",
      ],
    ],
    [
      "backends: [a:80]\nlisteners:\n  w: ':80'\n  x: { address: ':80' }\n" +
        "  y: 0.0.0.0:80\n  z: '[::]:80'",
      [
        "x.yaml:4:8: listeners.x.address: :80 is the address of listener w as well",
        "x.yaml:5:3: listeners.y.address: 0.0.0.0:80 and :80 of listener w " +
          "have addresses in common",
        "x.yaml:6:3: listeners.z.address: [::]:80 and :80 of listener w have addresses in common",
      ],
    ],
    ...["10.0.0.1", "0.0.0.0", "[::1]", ""].map((host): [string, string[]] => [
      `backends: [a:80]\nlisteners: { w: '${host}:80', v: '[::]:80' }`,
      [
        `x.yaml:2:${host.length + 24}: listeners.v.address: [::]:80 and ${host}:80 of listener w ` +
          "have addresses in common",
      ],
    ]),
    [
      "backends: [a:80]\nlisteners: { w: '10.0.0.1:80', v: '0.0.0.0:80' }",
      [
        "x.yaml:2:32: listeners.v.address: 0.0.0.0:80 and 10.0.0.1:80 of listener w " +
          "have addresses in common",
      ],
    ],
    [
      "backends: [a:80]\nlisteners: { w: 'unix:/x', v: 'unix:/x' }",
      ["x.yaml:2:28: listeners.v.address: unix:/x is the address of listener w as well"],
    ],
    [
      "backends: [a:80]\nlisteners: { w: { address: ':80', socket_mode: '0660' } }",
      [
        "x.yaml:2:35: listeners.w.socket_mode: only a unix socket has permissions, " +
          "such as unix:/PATH",
      ],
    ],
    [
      "pools: { api: [a:80] }\nlisteners: { w: { address: ':80', pool: apj } }",
      ['x.yaml:2:35: listeners.w.pool: there is no pool apj, did you mean "api"?'],
    ],
    [
      "backends: [b:80]\npools: { api: [a:80] }\nlisteners: { w: { address: ':80', pool: zzz } }",
      ["x.yaml:3:35: listeners.w.pool: there is no pool zzz, there are default, api"],
    ],
    [
      "pools: { api: [a:80] }\nlisteners: { w: ':80' }",
      [
        "x.yaml:2:14: listeners.w: no pool is called default, " +
          'name the one that serves it: pool: "api"',
      ],
    ],
    [
      "port: 80\npools: { api: [a:80] }",
      [
        "x.yaml:2:1: pools: no pool is called default and no listener names one, " +
          'add a listener with address: ":8080" and pool: "api"',
      ],
    ],
  ])("%s", (text, lines) => {
    expect(faults({ text })).toEqual(lines.map((line) => `config: ${line}`))
  })

  test.each([
    "backends: [a:80]\nlisteners: { w: '10.0.0.2:80', x: '10.0.0.1:80', y: '[::1]:80' }",
    "backends: [a:80]\nlisteners: { w: '0.0.0.0:80', x: '[::1]:80', y: ':81' }",
    "backends: [a:80]\nlisteners: { w: ':0', x: ':0' }",
    "backends: [a:80]\nlisteners: { w: ':80', x: 'unix:/x', y: 'unix:/y' }",
  ])("addresses that can stand beside each other: %s", (text) => {
    expect(faults({ text })).toEqual([])
  })

  test.each<[FileFormat, string, string]>([
    [
      "toml",
      'port = 81\nbackends = ["a:80"]\n[listeners]\nw = ":80"',
      'x.toml:1:1: port: beside listeners write default = ":81" among them instead of port',
    ],
    [
      "json",
      '{ "port": 81, "backends": ["a:80"], "listeners": { "w": ":80" } }',
      'x.json:1:3: port: beside listeners write "default": ":81" among them instead of port',
    ],
    [
      "toml",
      '[listeners]\nw = ":80"\n[pools]\napi = ["a:80"]',
      "x.toml:2:1: listeners.w: no pool is called default, " +
        'name the one that serves it: pool = "api"',
    ],
  ])("the line to write is in the language of the file: %s", (format, text, fault) => {
    expect(faults({ text, format })).toEqual([`config: ${fault}`])
  })

  test("a fault in one record is told beside those between others", () => {
    const text = "pools: { api: [a] }\nlisteners: { w: { address: ':80', pool: api }, x: ':80' }"
    expect(faults({ text })).toEqual([
      'config: x.yaml:1:16: pools.api[0]: "a" has no port, write a:80',
      "config: x.yaml:2:48: listeners.x.address: :80 is the address of listener w as well",
    ])
  })
})

test("a pool that has a fault is not told to be missing as well", () => {
  const listeners = "listeners: { w: { address: ':80', pool: api }, x: ':81' }"
  expect(faults({ text: `backends: [a]\npools: { api: [b:80] }\n${listeners}` })).toEqual([
    'config: x.yaml:1:12: backends[0]: "a" has no port, write a:80',
  ])
  expect(faults({ text: `backends: [a:80]\npools: { api: [b] }\n${listeners}` })).toEqual([
    'config: x.yaml:2:16: pools.api[0]: "b" has no port, write b:80',
  ])
})

describe("words", () => {
  test.each<[Said["flags"], string]>([
    [[["listeners", ["80"]]], `--listen: listener default: ${ADDRESS}, got "80", write ":80"`],
    [
      [["listeners", [":80", ":81"]]],
      '--listen: "default" is there twice, give each listener a name of its own: ' +
        "[NAME=]ADDRESS[,pool=NAME]",
    ],
    [
      [["listeners", ["w=:80,pol=a"]]],
      '--listen: listener w: unknown option "pol", did you mean "pool"?',
    ],
    [
      [["listeners", ["w=:80,zzz"]]],
      '--listen: listener w: unknown option "zzz", there is pool=NAME',
    ],
    [
      [["listeners", ["w=:80,tls"]]],
      '--listen: listener w: unknown option "tls", ' +
        "bunlb does not terminate client TLS yet, put it behind something that does",
    ],
    [
      [["listeners", ["W=:80"]]],
      '--listen: "W" is no name of a listener: it has up to 63 of a-z, 0-9, _ and -, such as "w"',
    ],
    [
      [["pools", ["10.0.0.1:80,weight=2"]]],
      '--pool: "10.0.0.1:80,weight=2" has no name, write NAME=HOST:PORT',
    ],
    [[["pools", ["a="]]], "--pool: pool a: has no backends, write a=HOST:PORT"],
    [[["pools", ["a=b"]]], '--pool: pool a: "b" has no port, write b:80'],
    [
      [["pools", ["a=b:80,c:80"]]],
      '--pool: pool a: "b:80" has the unknown option "c:80", give each backend its own -b or entry',
    ],
    [
      [["pools", ["a=b:80"]]],
      "--pool: no pool is called default and no listener names one, add --listen :8080,pool=a",
    ],
    [
      [
        ["pools", ["a=b:80"]],
        ["listeners", [":80"]],
      ],
      "--listen: listener default: no pool is called default, name the one that serves it: ,pool=a",
    ],
    [
      [
        ["backends", ["b:80"]],
        ["port", ["81"]],
        ["listeners", ["w=:80"]],
      ],
      "--port: beside listeners write --listen default=:81 among them instead of port",
    ],
  ])("%j", (flags, fault) => {
    expect(faults({ flags: flags ?? [] })).toEqual([fault])
  })

  test("of the environment", () => {
    const environment = { BUNLB_POOLS: "a=b:80 c=d", BUNLB_LISTENERS: ":80,pool=a" }
    expect(faults({ environment })).toEqual([
      'environment: BUNLB_POOLS[1]: pool c: "d" has no port, write d:80',
    ])
    const port = { BUNLB_PORT: "81", BUNLB_BACKENDS: "a:80", BUNLB_LISTENERS: ":80" }
    expect(faults({ environment: port })).toEqual([
      'environment: BUNLB_PORT: beside listeners write default: ":81" among them instead of port',
    ])
  })
})
