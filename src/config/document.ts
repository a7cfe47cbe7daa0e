/** docs/configuration.md, written from the schema so that it cannot fall behind it. */
import { MAX_BACKENDS } from "./schema/backend.ts"
import { recordsSection } from "./document-records.ts"
import { table } from "./markdown.ts"
import { settingRows, type SettingRow } from "./schema/schema.ts"

const introduction = `# Configuration

Everything below can be said in a file, in the environment and by a flag, under the same name:
\`health.interval\` in a file is \`BUNLB_HEALTH_INTERVAL\` in the environment and \`--health-interval\`
on the command line. This page is generated from \`src/config/schema/schema.ts\`.

Order: defaults, then the file (\`-c FILE\` or \`BUNLB_CONFIG\`), then the environment, then flags. What
comes later replaces what came before, lists as a whole. Unknown keys and flags are errors.

- \`bunlb check -c FILE\` reports every fault with its place, and what is legal but unwise.
- \`bunlb check -c FILE --print\` shows every setting with its value and where that was said, as a
  file that would say the same; secrets are masked.
- A file in the current folder is never read unasked: \`-c bunlb.yaml\` names it. (bunlb started in a
  folder of somebody else would else take over that one's settings.)
- \`bunlb init\` writes a file with every setting, its text and its default, to begin with.
- \`bunlb schema\` prints the JSON Schema of the file, with which an editor completes and checks it:
  \`# yaml-language-server: $schema=bunlb.schema.json\` as the first line of a YAML file.

## The file

The extension says what it is: \`.yaml\`, \`.yml\`, \`.toml\` or \`.json\`. The same in all three:

\`\`\`yaml
port: 8080
strategy: weighted
backends:
  - 10.0.0.1:8080,weight=3
  - { host: 10.0.0.2, port: 8080 }
  - https://fallback.example.com,backup
health:
  path: /healthz
  interval: 2s
\`\`\`

\`\`\`toml
port = 8080
strategy = "weighted"
backends = [
  "10.0.0.1:8080,weight=3",
  { host = "10.0.0.2", port = 8080 },
  "https://fallback.example.com,backup",
]

[health]
path = "/healthz"
interval = "2s"
\`\`\`

\`\`\`json
{
  "port": 8080,
  "strategy": "weighted",
  "backends": [
    "10.0.0.1:8080,weight=3",
    { "host": "10.0.0.2", "port": 8080 },
    "https://fallback.example.com,backup"
  ],
  "health": { "path": "/healthz", "interval": "2s" }
}
\`\`\`

Values may name the environment: \`\${PORT}\` must be set, \`\${PORT:-8080}\` has a default, \`$\${\`
is a plain \`\${\`.

## The environment

A variable is named after the key, in capitals, with \`BUNLB_\` in front: \`BUNLB_PORT=80\`,
\`BUNLB_TIMEOUTS_CONNECT=1s\`, \`BUNLB_TRACE=true\`. A list has blanks between its entries:
\`BUNLB_BACKENDS="a:80,weight=2 b:80"\`. An empty variable says nothing. Every other name that begins
with \`BUNLB_\` is an error, unless the file takes a value from it (as \`\${NAME}\`) or Kubernetes sets it for
a Service named bunlb (\`BUNLB_PORT=tcp://...\`).

## Backends

\`HOST:PORT\`, \`http://HOST[:PORT]\` or \`https://HOST[:PORT]\`, IPv6 in brackets, at most
${MAX_BACKENDS.toLocaleString("en")}. Port 443 means TLS unless \`http://\` says otherwise. Options follow after commas; as an
object, they are keys beside \`host\` and \`port\`. YAML splits an entry without quotes at its commas
where the list is in brackets: \`backends: ["10.0.0.1:8080,weight=3"]\`.

${table([
  ["Option", "Meaning"],
  [
    "`weight=N`",
    "Share of requests with strategy `weighted`, of new clients with `sticky`, 1 to 1000 (1)",
  ],
  ["`backup`", "Serves only while no other backend can"],
  ["`tls`", "Speak TLS on a port other than 443"],
  [
    "`ca=FILE`",
    "PEM file instead of the system's CAs, relative to the folder in which bunlb was started",
  ],
  ["`drain`", "Gets no new request, and is probed: as after `bunlb drain`"],
  ["`disabled`", "Gets no new request and is not probed: as after `bunlb disable`"],
])}

\`dns+http://NAME[:PORT]\` and \`srv+http://_http._tcp.NAME\` (\`dns+https\`, \`srv+https\`; as an object
\`discover: dns\` or \`discover: srv\`) stand for as many backends as DNS says:
[discovery.md](discovery.md).

## Values

- A duration has a unit: \`500ms\`, \`5s\`, \`1m\`, \`1h\`. Only \`0\` needs none.
- A size is in bytes or has a unit: \`16KiB\` and \`16k\` are 16,384 bytes, \`1MiB\` is 1,048,576.
- A switch is \`true\` or \`false\` in a file, \`--pin\` or \`--no-pin\` as a flag. A flag whose values are \`on\` and
  \`off\` takes one of them: \`--tracing on\`.
- A list is a list in a file; as a flag it is repeated; in the environment blanks separate its entries.
  Commas separate entries too (\`--health-expect 200,204\`), except those of \`backends\`, where options
  follow a comma.
`

/** The whole page. */
export function configurationPage(): string {
  const groups = [...new Set(settingRows.map((row) => row.setting.group))]
  return [introduction, recordsSection(), ...groups.map(groupTable)].join("\n")
}

function groupTable(group: string): string {
  const rows = settingRows.filter((row) => row.setting.group === group).map(tableRow)
  const head = ["Key", "Flag", "Default", "Meaning", "Values"]
  return [`## ${group}`, "", table([head, ...rows]), ""].join("\n")
}

function tableRow({ key, flag, setting, defaultText }: SettingRow): string[] {
  const { alias, help, short, type } = setting
  const long = type.kind === "boolean" ? `--${flag}, --no-${flag}` : `--${flag}`
  const flags = [short && `-${short}`, long, alias && `--${alias}`].filter(Boolean).join(", ")
  const elsewhere: Readonly<Record<string, string>> = {
    backends: "see Backends",
    listeners: "see Listeners and pools",
    pools: "see Listeners and pools",
  }
  const values = elsewhere[key] ?? type.expects
  const cells = [`\`${key}\``, `\`${flags}\``, defaultText, help, values]
  return cells.map((cell) => cell.replaceAll("|", "\\|"))
}
