/**
 * One backend and the list of them, as a line (`10.0.0.1:8080,weight=2`, `https://api.example.com`)
 * or as an object (`{ host, port, weight, backup, tls, ca }`; the older Zig balancer's file is a
 * list of these). `dns+http://` and `srv+http://` stand for as many backends as DNS says.
 *
 * A URL may not carry a path: bunlb forwards the client's path byte for byte, and a path here would
 * promise another.
 */
import { isIP } from "node:net"
import { formatHostPort, readHost, readHostPort } from "./address.ts"
import { blankAdvice, entriesIn, foreignEntry, optionAlone, optionNames } from "./backend-advice.ts"
import { keySet } from "./key-tree.ts"
import { objectSchema, readRecord, recordRow, type RecordRow, type RecordShape } from "./record.ts"
import type { BackendSettings, Discovery } from "./settings.ts"
import type { Refuse, ValueType } from "./setting.ts"
import { didYouMean } from "./spelling.ts"
import { advised, boolean, integer, oneOf, shown, stringLike } from "./value-types.ts"

/** More than this is a fleet that wants a service mesh; the health bitmap is sized by it. */
export const MAX_BACKENDS = 1024
/** The largest weight. */
export const HEAVIEST = 1000

const port = integer(1, 65_535, "PORT")
/** Other balancers stop sending requests to a backend of weight 0; here that has a word of its own. */
export const weight = advised(integer(1, HEAVIEST), (input) =>
  String(input).trim() === "0" ? "to send it no requests use drain" : null,
)
const discovery = oneOf<Discovery>(["dns", "srv"])

const PORT_OF_SRV = "has a port, which its SRV records tell"

const hostName: ValueType<string> = {
  kind: "scalar",
  placeholder: "HOST",
  expects: "a host name",
  read(input, refuse) {
    if (typeof input !== "string") return refuse(`expected a host name, got ${shown(input)}`)
    const judged = readHost(input.trim())
    return "host" in judged ? judged.host : refuse(`${shown(input)} ${judged.fault}`)
  },
  format: String,
  json: { type: "string" },
}
const caFile: ValueType<string | null> = {
  kind: "scalar",
  placeholder: "FILE",
  expects: "the name of a PEM file",
  read(input, refuse) {
    if (input === null || (typeof input === "string" && input !== "")) return input
    return refuse(`expected the name of a PEM file, got ${shown(input)}`)
  },
  format: String,
  json: { type: ["string", "null"] },
  typescript: "string | null",
}

/** A backend with its options as keys. */
export const backendRows: readonly RecordRow[] = [
  recordRow("host", hostName, "A name or an address", "none"),
  recordRow("port", port, "Needed, unless SRV records tell it", "none"),
  recordRow("weight", weight, "Its share of requests, 1 to 1,000", "1"),
  recordRow("backup", boolean, "Serves only while no other backend can", "false"),
  recordRow("tls", boolean, "Speak TLS", "true for port 443"),
  recordRow("ca", caFile, "A PEM file instead of the system's CAs", "none"),
  recordRow("drain", boolean, "Gets no new request, and is probed", "false"),
  recordRow("disabled", boolean, "Gets no new request, and is not probed", "false"),
  recordRow("discover", discovery, "Stands for as many backends as DNS says", "none"),
]
const shape: RecordShape = {
  rows: backendRows,
  keys: keySet(backendRows.map(({ key }) => key)),
  advice: { foreign: () => null, misplaced: () => null },
}

interface Options {
  weight?: number | undefined
  backup?: boolean | undefined
  tls?: boolean | undefined
  ca?: string | null | undefined
  drain?: boolean | undefined
  disabled?: boolean | undefined
}

/** What is written before the host: `srv+https://` is `srv` and `https`. */
interface Scheme {
  readonly discover: Discovery | null
  /** Null when nothing is said of TLS. */
  readonly name: "http" | "https" | null
}

const noScheme: Scheme = { discover: null, name: null }
const schemes: Readonly<Record<string, Scheme>> = {
  http: { discover: null, name: "http" },
  https: { discover: null, name: "https" },
  "dns+http": { discover: "dns", name: "http" },
  "dns+https": { discover: "dns", name: "https" },
  "srv+http": { discover: "srv", name: "http" },
  "srv+https": { discover: "srv", name: "https" },
}

const DISCOVERY = "(([dD][nN][sS]|[sS][rR][vV])\\+)"

export const backend: ValueType<BackendSettings> = {
  kind: "scalar",
  placeholder: "HOST:PORT[,weight=N][,backup][,tls][,ca=FILE]",
  expects: "HOST:PORT, http://HOST or https://HOST, with ,weight=N ,backup ,tls ,ca=FILE behind",
  read(input, refuse) {
    if (typeof input === "string") return readLine(input.trim(), refuse)
    if (input !== null && typeof input === "object" && !Array.isArray(input)) {
      return readObject(input as Readonly<Record<string, unknown>>, refuse)
    }
    return refuse(`expected "HOST:PORT" or { host, port }, got ${shown(input)}`)
  },
  format: formatLine,
  json: {
    anyOf: [
      stringLike(`^(${DISCOVERY}?[hH][tT][tT][pP][sS]?://)?[^\\s/?#,@]+/?(,.*)?$`),
      {
        ...objectSchema(backendRows),
        required: ["host"],
        anyOf: [{ required: ["port"] }, { required: ["discover"] }],
      },
    ],
  },
}

/** The line that reads as `value`. */
function formatLine(value: BackendSettings): string {
  const words = [value.name]
  const said = value.discover !== undefined || value.tls === (value.port === 443)
  if (!said) words.push(value.tls ? "tls" : "tls=false")
  if (value.weight !== 1) words.push(`weight=${value.weight}`)
  if (value.backup) words.push("backup")
  if (value.ca !== null) words.push(`ca=${value.ca}`)
  if (value.duty !== undefined) words.push(value.duty === "off" ? "disabled" : "drain")
  return words.join(",")
}

function readLine(line: string, refuse: Refuse): BackendSettings | undefined {
  const [target = "", ...words] = line.split(",")
  const say = (fault: string): undefined => refuse(`${shown(target)} ${fault}`)
  if (/\s/.test(target)) return say(blankAdvice(line))
  if (target === "") return refuse("a backend is empty, write HOST:PORT")
  if (/^unix:/i.test(target)) return say("is a unix socket, backends are reached by TCP: HOST:PORT")
  const word = /^([a-z][a-z0-9+.-]*):\/\//i.exec(target)?.[1]?.toLowerCase() ?? null
  const scheme = word === null ? noScheme : schemes[word]
  if (scheme === undefined) {
    return say(`has the scheme ${word}, only http and https are supported (dns+http, srv+http too)`)
  }
  const authority = word === null ? target : target.slice(word.length + 3)
  const end = authority.search(/[/?#]/)
  if (end !== -1 && authority.slice(end) !== "/") {
    return say("has a path, a backend is only HOST:PORT: paths are forwarded as they come")
  }
  const hostAndPort = end === -1 ? authority : authority.slice(0, end)
  if (hostAndPort.includes("@")) return say("has a user name, which a backend cannot have")
  const judged = readHostPort(hostAndPort, 1)
  if ("fault" in judged) return say(judged.fault)
  const number = judged.port ?? impliedPort(scheme)
  if (number === null) return say(`has no port, write ${hostAndPort}:80`)
  if (scheme.discover === "srv" && judged.port !== null) return say(PORT_OF_SRV)
  const options = readOptions(words, say)
  return options && assemble(judged.host, number, scheme, options, say)
}

function impliedPort({ discover, name }: Scheme): number | null {
  if (discover === "srv") return 0
  return name === null ? null : name === "https" ? 443 : 80
}

/** The words behind the first comma. */
function readOptions(words: readonly string[], say: Refuse): Options | undefined {
  const options: Options = {}
  const seen = new Set<string>()
  let clean = true
  for (const word of words) {
    const [name = "", value = null] = word.split(/=(.*)/s).map((part) => part.trim())
    if (seen.has(name)) {
      clean = false
      say(`says ${name} twice, keep one`)
    }
    seen.add(name)
    const say1: Refuse = (fault) => {
      clean = false
      return say(`has a bad ${name}: ${fault}`)
    }
    if (name === "weight") options.weight = weight.read(value ?? "", say1)
    else if (name === "backup") options.backup = boolean.read(value ?? true, say1)
    else if (name === "tls") options.tls = boolean.read(value ?? true, say1)
    else if (name === "drain") options.drain = boolean.read(value ?? true, say1)
    else if (name === "disabled") options.disabled = boolean.read(value ?? true, say1)
    else if (name === "ca" && value) options.ca = value
    else if (name === "ca") say1("name a file, ca=FILE")
    else {
      clean = false
      say(strayOption(name))
    }
  }
  return clean ? options : undefined
}

function strayOption(name: string): string {
  if (name === "") return "has a comma with nothing behind it"
  const fault = `has the unknown option ${shown(name)}`
  if (/[:.]/.test(name)) return `${fault}, give each backend its own -b or entry`
  return fault + (didYouMean(name, optionNames) || `, there are ${optionNames.join(", ")}`)
}

function readObject(
  object: Readonly<Record<string, unknown>>,
  refuse: Refuse,
): BackendSettings | undefined {
  // As the files of other balancers have it; to ask for host and port besides would lead astray.
  const foreign = foreignEntry(object)
  if (foreign !== null) {
    const fault = foreign.key === "host" ? "holds more than a host" : "unknown key"
    const advice = `write the entry as one line: ${JSON.stringify(foreign.line)}`
    return refuse(`${fault}, ${advice}`, `.${foreign.key}`)
  }
  let clean = true
  const mark: Refuse = (message, at) => {
    clean = false
    return refuse(message, at)
  }
  const values = readRecord(shape, object, mark)
  const { host, port: said } = object
  const discover = values?.["discover"] ?? object["discover"]
  if (host === undefined) mark("has no host, add one such as host: 127.0.0.1")
  if (discover === "srv" && said !== undefined) mark(PORT_OF_SRV, ".port")
  if (discover !== "srv" && said === undefined) mark("has no port, add one such as port: 80")
  if (!clean || values === undefined) return undefined
  // Each value was read by the type of its row.
  const entry = values as unknown as { host: string; port?: number; discover?: Discovery } & Options
  const scheme: Scheme = { discover: entry.discover ?? null, name: null }
  return assemble(entry.host, entry.port ?? 0, scheme, entry, mark)
}

/** Port 443 means TLS unless the scheme or the object says otherwise. */
function assemble(
  host: string,
  number: number,
  { discover, name: scheme }: Scheme,
  options: Options,
  say: Refuse,
): BackendSettings | undefined {
  if (scheme === "http" && options.tls === true) return say("says http:// and tls, choose one")
  if (scheme === "https" && options.tls === false)
    return say("says https:// and tls=false, choose one")
  if (discover !== null && isIP(host) !== 0) {
    return say("is an address, for which DNS has no others: leave out dns+ or srv+")
  }
  if (discover === "srv" && options.weight !== undefined) {
    return say("has a weight, which its SRV records tell")
  }
  const tls = scheme === null ? (options.tls ?? number === 443) : scheme === "https"
  if (options.drain && options.disabled) return say("says drain and disabled, choose one")
  const duty = options.disabled ? "off" : options.drain ? "drain" : undefined
  const ca = options.ca ?? null
  if (ca !== null && !tls) return say("has a ca but no TLS, add tls or use https://")
  const place = number === 0 ? host : formatHostPort(host, number)
  return {
    name: discover === null ? place : `${discover}+${tls ? "https" : "http"}://${place}`,
    host,
    port: number,
    tls,
    weight: options.weight ?? 1,
    backup: options.backup ?? false,
    ca,
    ...(discover === null ? {} : { discover }),
    ...(duty === undefined ? {} : { duty }),
  }
}

/**
 * The whole list: names are unique, because they are the labels of figures and the seed of cookies.
 */
export const backendList: ValueType<readonly BackendSettings[]> = {
  kind: "list",
  placeholder: backend.placeholder,
  expects: `a list of at most ${MAX_BACKENDS} backends: ${backend.expects}`,
  read(input, refuse) {
    if (!Array.isArray(input)) {
      const entries = typeof input === "string" ? entriesIn(input).map(shown).join(", ") : ""
      const advice = entries === "" ? "" : `, write [${entries}]`
      return refuse(`expected a list of backends, got ${shown(input)}${advice}`)
    }
    if (input.length > MAX_BACKENDS) {
      return refuse(`expected at most ${MAX_BACKENDS} backends, got ${input.length}`)
    }
    const seen = new Set<string>()
    const values = input.map((entry: unknown, index) => {
      const at = `[${index}]`
      const alone = optionAlone(entry, input[index - 1])
      if (alone !== null) return refuse(alone, at)
      const value = backend.read(entry, (message, inner = "") => refuse(message, at + inner))
      if (value && seen.has(value.name))
        return refuse(`"${value.name}" is there twice, keep one`, at)
      if (value) seen.add(value.name)
      return value
    })
    return values.every((value) => value !== undefined) ? values : undefined
  },
  format: (values) => values.map(formatLine).join(" "),
  typescript: "readonly (string | BackendEntry)[]",
  json: { type: "array", maxItems: MAX_BACKENDS, items: backend.json },
}
