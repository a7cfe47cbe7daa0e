/**
 * The CA certificates that backends are verified against: those of a file, or of the system. The master reads the
 * files and passes what they hold to its workers. So all workers trust the same, a worker that starts while a file is
 * being replaced or is broken gets what was in effect before, and nothing but a reload changes it.
 */
import { existsSync } from "node:fs"
import { fileState, readPlainFile } from "../../config/file/plain-file.ts"
import type { BackendSettings } from "../../config/schema/settings.ts"
import { absolutePath } from "../../config/start-folder.ts"
import { BunlbError } from "../../core/errors.ts"
import { fileFault } from "../../core/file-fault.ts"
import { certificatesOf } from "./pem.ts"

/** Where systems keep their CAs: Debian, Fedora, Alpine and macOS, SUSE. */
const systemBundles = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/cert.pem",
  "/etc/ssl/ca-bundle.pem",
]

/** The bundle of all public CAs has 250 KB. */
const MOST_BYTES = 4 << 20

interface Read {
  /** PEM blocks. */
  readonly pem: string
  /** Of the file when it was read, as `fileState` tells it. */
  readonly state: string
}

/** By the absolute name of the file. */
export type Authorities = ReadonlyMap<string, Read>

type Tls = Pick<BackendSettings, "tls" | "ca">

let inEffect: Authorities = new Map()

/** Those of `caFile`, or null for the system's. Undefined where the system has none. Throws `BunlbError`. */
export function authoritiesOf(caFile: string | null): string | undefined {
  const path = pathOf(caFile)
  if (path === undefined) return undefined
  const known = inEffect.get(path)
  if (known !== undefined) return known.pem
  const read = readAuthorities(path)
  inEffect = new Map([...inEffect, [path, read]])
  return read.pem
}

/** Backends whose certificates are verified, or are not. */
interface Verified {
  readonly backends: readonly Tls[]
  readonly insecure: boolean
}

/** What the files of the backends of these pools hold now. Throws `BunlbError` for one that cannot be used. */
export function readAllAuthorities(pools: readonly Verified[]): Authorities {
  const paths = pathsOf(pools.flatMap(({ backends, insecure }) => (insecure ? [] : backends)))
  return new Map(paths.map((path) => [path, readAuthorities(path)]))
}

/** Makes `read` what counts, in the place of all that did. */
export function putAuthoritiesInEffect(read: Authorities): void {
  inEffect = read
}

/** Adds `read` to what counts. */
export function addAuthorities(read: Authorities): void {
  if (read.size > 0) inEffect = new Map([...inEffect, ...read])
}

/** In a worker: adds what the master has read. */
export function takeAuthorities(told: readonly (readonly [string, string])[]): void {
  // In mode sp master and worker are one process, which has read it already.
  const news = told.filter(([path, pem]) => inEffect.get(path)?.pem !== pem)
  addAuthorities(new Map(news.map(([path, pem]) => [path, { pem, state: "" }])))
}

/** All that counts now. */
export function authoritiesInEffect(): Authorities {
  return inEffect
}

/** Of each file that counts, its state when it was read. */
export function authorityStates(): ReadonlyMap<string, string> {
  return new Map([...inEffect].map(([path, { state }]) => [path, state]))
}

/** How a line on a changed CA file begins. */
export const AUTHORITY_CHANGE = "CA file "

/** One line for each file that holds something else than before. */
export function authorityChanges(read: Authorities): string[] {
  return [...read].flatMap(([path, { pem }]) => {
    const before = inEffect.get(path)?.pem
    return before === undefined || before === pem
      ? []
      : [`${AUTHORITY_CHANGE}${path}: other certificates`]
  })
}

function pathsOf(backends: readonly Tls[]): readonly string[] {
  const paths = backends.filter(({ tls }) => tls).map(({ ca }) => pathOf(ca))
  return [...new Set(paths)].filter((path) => path !== undefined)
}

function pathOf(caFile: string | null): string | undefined {
  const named = caFile ?? process.env.SSL_CERT_FILE
  if (named === undefined) return systemBundles.find((file) => existsSync(file))
  return absolutePath(named)
}

function readAuthorities(path: string): Read {
  let bytes: Buffer
  const state = fileState(path)
  try {
    bytes = readPlainFile(path, MOST_BYTES)
  } catch (error) {
    throw new BunlbError("BUNLB_E_CA_FILE", `CA file ${path} cannot be read: ${fileFault(error)}`)
  }
  try {
    return { pem: certificatesOf(bytes), state }
  } catch (error) {
    const fault = error instanceof Error ? error.message : String(error)
    throw new BunlbError("BUNLB_E_CA_FILE", `CA file ${path} ${fault}`)
  }
}
