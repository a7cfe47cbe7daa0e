/** The section on listeners and pools of docs/configuration.md, with their keys from the schema. */
import { table } from "./markdown.ts"
import type { RecordKind } from "./schema/named-records.ts"
import { listeners, pools, settingRows } from "./schema/schema.ts"

const introduction = `## Listeners and pools

A listener is an address on which clients come. A pool is a set of backends that serve the same
requests. A file that says nothing of them has one of each, both named \`default\`: \`host\` and \`port\`
are the address of the listener, \`backends\` are the backends of the pool. More of them have names:

\`\`\`yaml
listeners:
  web: ":80"
  mesh: { address: "10.1.0.5:8000", pool: api, trusted_proxies: [10.1.0.0/24] }
  local: { address: "unix:/run/bunlb/api.sock", pool: api, socket_mode: "0660" }
backends: [10.0.0.1:8080, 10.0.0.2:8080]
pools:
  api:
    backends: [10.0.2.1:9000, "10.0.2.2:9000,weight=2"]
    strategy: weighted
    health: { path: /ready }
\`\`\`

The same in TOML; JSON has the same tree:

\`\`\`toml
backends = ["10.0.0.1:8080", "10.0.0.2:8080"]

[listeners]
web = ":80"

[listeners.mesh]
address = "10.1.0.5:8000"
pool = "api"
trusted_proxies = ["10.1.0.0/24"]

[listeners.local]
address = "unix:/run/bunlb/api.sock"
pool = "api"
socket_mode = "0660"

[pools.api]
backends = ["10.0.2.1:9000", "10.0.2.2:9000,weight=2"]
strategy = "weighted"
health = { path = "/ready" }
\`\`\`

- A name has up to 63 of \`a-z\`, \`0-9\`, \`_\` and \`-\`, and begins with a letter or a digit.
- In short, a listener is its address and a pool is its list: \`web: ":80"\`, \`api: [10.0.2.1:9000]\`.
- An address is \`:80\` (every address of this machine, IPv4 and IPv6), \`10.0.0.5:80\`, \`[::1]:80\`
  or \`unix:/PATH\`. Two listeners cannot have an address in common: \`:80\` and \`10.0.0.5:80\` have.
- A listener names the pool that serves its requests. If it names none, that is the pool \`default\`.
- What a listener or a pool says of a setting holds for it; for all else the top level holds. A value
  is taken whole: a list in a pool replaces the list of the top level, and nothing is merged.
- With \`listeners\`, \`host\` and \`port\` are errors, and so are \`backends\` beside a pool named
  \`default\`: each would say the same thing in two places.
- A backend in another pool than \`default\` is shown with its pool: \`api/10.0.2.1:9000\`. A backend
  that is in two pools is two backends: each has health checks, figures and weights of its own.
- The sticky cookie of a pool is named after it, unless the pool names one: \`bunlb_api\`.
- \`bunlb check\` tells of a pool that no listener names.

On the command line: \`--listen 'web=:80'\`, \`--listen ':81,pool=api'\` and
\`--pool 'api=10.0.2.1:9000,weight=2 10.0.2.2:9000'\`, each as often as needed. In the environment blanks
separate the listeners and pools, and \`;\` the backends of a pool:
\`BUNLB_POOLS="api=10.0.2.1:9000,weight=2;10.0.2.2:9000 web=10.0.0.1:8080"\`.
`

export function recordsSection(): string {
  const sections = [
    keysOf("listener", listeners, "of all listeners"),
    keysOf("pool", pools, "of all pools"),
  ]
  return [introduction, ...sections].join("\n")
}

function keysOf(noun: string, kind: RecordKind, all: string): string {
  const known = new Set<string>(settingRows.map(({ key }) => key))
  const isShared = (key: string): boolean => key !== kind.main && known.has(key)
  const own = kind.rows.filter(({ key }) => !isShared(key))
  const rows = own.map(({ key, help, defaultText, type }) => {
    const values = key === "backends" ? "see Backends" : type.expects
    return [`\`${key}\``, key === kind.main ? "needed" : defaultText, help, values]
  })
  const shared = kind.rows.flatMap(({ key }) => (isShared(key) ? [`\`${key}\``] : []))
  return [
    `Keys of a ${noun}:`,
    "",
    table([["Key", "Default", "Meaning", "Values"], ...rows]),
    "",
    `Besides, it has these settings of the top level, which are the defaults ${all}:`,
    `${wrapped(shared)}.`,
    "",
  ].join("\n")
}

const WIDTH = 100

function wrapped(words: readonly string[]): string {
  const lines = [""]
  for (const word of words) {
    const line = lines.at(-1) ?? ""
    if (line.length + word.length + 2 > WIDTH) lines.push(word)
    else lines[lines.length - 1] = line === "" ? word : `${line}, ${word}`
  }
  return lines.join(",\n")
}
