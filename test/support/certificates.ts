/**
 * Certificates good and bad, made by the openssl command line into a temporary folder, once for a whole test
 * run (about 50 ms). Tests that need one are declared by `withPrograms(..., "openssl")`: without openssl they are left
 * out by name, and what their tables are made of here are words in place of certificates.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { atEnd } from "./at-end.ts"

export interface Certificate {
  readonly key: string
  readonly cert: string
}

export interface Certificates {
  /** The CA that signed `good`, `expired` and `wrongHost`: its certificate, and the file that holds it. */
  readonly ca: string
  readonly caFile: string
  /** localhost and 127.0.0.1, valid. */
  readonly good: Certificate
  /** As `good`, but its time is over. */
  readonly expired: Certificate
  /** Valid for 127.0.0.1 and ::1, and for no name. */
  readonly addressOnly: Certificate
  /** As `good`, but its subject has no common name. */
  readonly nameless: Certificate
  /** Valid for other.example only. */
  readonly wrongHost: Certificate
  readonly selfSigned: Certificate
  /** As `good`, but signed by a CA that nobody was told of, unless by its file. */
  readonly unknownCa: Certificate
  /** For localhost by its common name alone: without a subjectAltName, and with one that names no host. */
  readonly commonName: readonly Certificate[]
  /**
   * As `good`, but with a SHA-1 signature or a short RSA key, its own or that of an intermediate CA. `selfIssued`: the
   * intermediate CA has the name of its issuer; `behindOthers`: it is sent behind a root that has no part in the chain.
   */
  readonly weak: Readonly<
    Record<
      "sha1" | "shortKey" | "sha1Issuer" | "shortIssuer" | "selfIssued" | "behindOthers",
      Certificate
    >
  >
  /** As `good`, but with twelve certificates that have no part in its chain. */
  readonly longChain: Certificate
  /** Signed by a root with a short key, and the file that holds that root. */
  readonly shortRoot: Certificate
  readonly shortRootFile: string
  /** Valid for `w*.example.test`. */
  readonly partialWildcard: Certificate
  readonly unknownCaFile: string
  /** As `addressOnly`, but signed by that same stranger. */
  readonly addressUnknownCa: Certificate
}

let made: Certificates | null = null

export function certificates(): Certificates {
  made ??= Bun.which("openssl") === null ? placeholders() : makeAll()
  return made
}

const IS_CA = "basicConstraints=critical,CA:TRUE"
const LOCAL_NAME = "/CN=localhost"
const LOCAL = "DNS:localhost,IP:127.0.0.1"
const ALWAYS = ["20200101000000Z", "20991231000000Z"] as const
const ADDRESSES = "IP:127.0.0.1,IP:::1"

/** For the tables of tests that do not run. */
function placeholders(): Certificates {
  const none = "openssl is missing: there is no certificate"
  const pair = { key: none, cert: none }
  const folder = mkdtempSync(join(tmpdir(), "bunlb-certificates-"))
  atEnd(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, "none.pem")
  writeFileSync(file, none)
  return {
    ...{ ca: none, caFile: file, unknownCaFile: file, shortRootFile: file },
    ...{ good: pair, expired: pair, addressOnly: pair, nameless: pair, wrongHost: pair },
    ...{ selfSigned: pair, unknownCa: pair, addressUnknownCa: pair },
    ...{ longChain: pair, shortRoot: pair, partialWildcard: pair },
    commonName: [pair],
    weak: {
      ...{ sha1: pair, shortKey: pair, sha1Issuer: pair },
      ...{ shortIssuer: pair, selfIssued: pair, behindOthers: pair },
    },
  }
}

function makeAll(): Certificates {
  const folder = mkdtempSync(join(tmpdir(), "bunlb-certificates-"))
  atEnd(() => rmSync(folder, { recursive: true, force: true }))
  makeCa(folder, "ca")
  makeCa(folder, "stranger")
  makeCa(folder, "short-root", SHORT)
  makeSelfSigned(folder, "self-signed")
  const good = makeLeaf(folder, "good", "ca", LOCAL)
  const other = readFileSync(join(folder, "stranger.pem"), "utf8")
  return {
    ca: readFileSync(join(folder, "ca.pem"), "utf8"),
    caFile: join(folder, "ca.pem"),
    good,
    longChain: { key: good.key, cert: good.cert + other.repeat(12) },
    shortRoot: makeLeaf(folder, "below-short-root", "short-root", LOCAL),
    shortRootFile: join(folder, "short-root.pem"),
    partialWildcard: makeLeaf(folder, "partial", "ca", "DNS:w*.example.test"),
    expired: makeLeaf(folder, "expired", "ca", LOCAL, ["20200101000000Z", "20200102000000Z"]),
    addressOnly: makeLeaf(folder, "address", "ca", ADDRESSES),
    nameless: makeLeaf(folder, "nameless", "ca", LOCAL, ALWAYS, { subject: "/O=bunlb test" }),
    wrongHost: makeLeaf(folder, "wrong-host", "ca", "DNS:other.example"),
    selfSigned: read(folder, "self-signed"),
    unknownCa: makeLeaf(folder, "unknown-ca", "stranger", LOCAL),
    addressUnknownCa: makeLeaf(folder, "address-unknown-ca", "stranger", ADDRESSES),
    unknownCaFile: join(folder, "stranger.pem"),
    commonName: [null, "email:a@b.example", "URI:http://localhost/", "IP:127.0.0.2"].map(
      (names, number) =>
        makeLeaf(folder, `common-name-${number}`, "ca", names, ALWAYS, { subject: LOCAL_NAME }),
    ),
    weak: makeWeak(folder, other),
  }
}

const SHORT = ["-newkey", "rsa:1024"]
/** Tells two CAs of one name apart by their keys. */
const BY_KEY = "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid"

function makeWeak(folder: string, other: string): Certificates["weak"] {
  const sha1 = { digest: "sha1" }
  const shortKey = { key: SHORT }
  const below = (name: string, form: LeafForm, between = ""): Certificate => {
    makeIssuer(folder, `${name}-issuer`, form)
    const byKey = { extension: BY_KEY }
    const { key, cert } = makeLeaf(folder, name, `${name}-issuer`, LOCAL, ALWAYS, byKey)
    return { key, cert: cert + between + readFileSync(join(folder, `${name}-issuer.pem`), "utf8") }
  }
  return {
    selfIssued: below("self-issued", { ...sha1, subject: "/CN=bunlb test ca" }),
    behindOthers: below("behind-others", sha1, other),
    sha1: makeLeaf(folder, "sha1", "ca", LOCAL, ALWAYS, sha1),
    shortKey: makeLeaf(folder, "short-key", "ca", LOCAL, ALWAYS, shortKey),
    sha1Issuer: below("below-sha1", sha1),
    shortIssuer: below("below-short-key", shortKey),
  }
}

function makeCa(folder: string, name: string, key = CURVE): void {
  selfSign(folder, name, ["-addext", IS_CA], key)
  makeDatabase(folder, name)
}

/** A CA below `ca`. */
function makeIssuer(folder: string, name: string, form: LeafForm): void {
  makeLeaf(folder, name, "ca", null, ALWAYS, { ...form, extension: `${IS_CA}\n${BY_KEY}` })
  makeDatabase(folder, name)
}

function makeDatabase(folder: string, name: string): void {
  const database = join(folder, name)
  writeFileSync(`${database}.index`, "")
  writeFileSync(`${database}.cnf`, configOfCa(folder, name))
}

function makeSelfSigned(folder: string, name: string): void {
  selfSign(folder, name, ["-addext", `subjectAltName=${LOCAL}`])
}

function selfSign(folder: string, name: string, extensions: string[], key = CURVE): void {
  openssl(folder, [
    "req",
    "-x509",
    ...newKey(name, undefined, key),
    "-out",
    `${name}.pem`,
    "-days",
    "2",
    ...extensions,
  ])
}

const CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]

function newKey(name: string, subject = `/CN=bunlb test ${name}`, key = CURVE): string[] {
  return [...key, "-noenc", "-keyout", `${name}.key`, "-subj", subject]
}

/** What a leaf is made with, where that is not a P-256 key, SHA-256 and a name of its own. */
interface LeafForm {
  readonly subject?: string
  readonly key?: string[]
  readonly digest?: string
  readonly extension?: string
}

/** `openssl ca`, because `openssl x509` cannot set the dates in the versions that Debian ships. */
function makeLeaf(
  folder: string,
  name: string,
  issuer: string,
  names: string | null,
  [from, to]: readonly [string, string] = ALWAYS,
  { subject, key, digest = "sha256", extension = "" }: LeafForm = {},
): Certificate {
  openssl(folder, ["req", "-new", ...newKey(name, subject, key), "-out", `${name}.csr`])
  const altNames = names === null ? "" : `subjectAltName=${names}`
  writeFileSync(join(folder, `${name}.ext`), `${altNames}\n${extension}\n`)
  const dates = ["-startdate", from, "-enddate", to, "-md", digest]
  const files = ["-in", `${name}.csr`, "-out", `${name}.pem`, "-extfile", `${name}.ext`]
  openssl(folder, ["ca", "-batch", "-notext", "-config", `${issuer}.cnf`, ...dates, ...files])
  return read(folder, name)
}

function configOfCa(folder: string, name: string): string {
  const paths = { database: "index", certificate: "pem", private_key: "key" }
  const lines = Object.entries(paths).map(([key, end]) => `${key} = ${join(folder, name)}.${end}`)
  const fixed = ["default_md = sha256", "policy = any", "rand_serial = yes", "unique_subject = no"]
  const place = `new_certs_dir = ${folder}`
  return [
    "[ca]",
    "default_ca = it",
    "[it]",
    place,
    ...fixed,
    ...lines,
    "[any]",
    "commonName = optional",
    "organizationName = optional",
    "",
  ].join("\n")
}

function read(folder: string, name: string): Certificate {
  const file = (end: string): string => readFileSync(join(folder, `${name}.${end}`), "utf8")
  return { key: file("key"), cert: file("pem") }
}

function openssl(folder: string, args: string[]): void {
  const program = Bun.which("openssl")
  if (program === null) throw new Error("openssl is missing")
  const { exitCode, stderr } = Bun.spawnSync([program, ...args], { cwd: folder, stderr: "pipe" })
  if (exitCode !== 0) throw new Error(`openssl ${args.join(" ")}: ${stderr.toString()}`)
}
