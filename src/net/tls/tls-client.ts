/**
 * TLS to a backend, verified as a browser would: the chain against the system's CAs (or the backend's own CA
 * file), the name against the certificate. Sessions are kept per backend and resumed, never across names.
 *
 * An IP address is no server name (RFC 6066 section 3), so none is sent. Bun then holds the certificate against
 * the name "localhost": of its verdict only the chain's part counts, and the addresses are checked here.
 */
import { isIP } from "node:net"
import { checkServerIdentity } from "node:tls"
import type { TLSSocket } from "bun"
import type { Settings } from "../../config/schema/settings.ts"
import { authoritiesOf } from "./authorities.ts"
import { isNamedByDns, weaknessOf } from "./peer-certificate.ts"

export interface TlsOptions {
  readonly ca?: string
  readonly serverName: string
  readonly rejectUnauthorized: boolean
  readonly minVersion: number
}

/** Sees every finished handshake and whether it proved who the peer is. */
export type WatchTls = (socket: TLSSocket, verified: boolean) => void

const TLS_1_2 = 0x303
const WRONG_NAME = "ERR_TLS_CERT_ALTNAME_INVALID"

export class TlsClient {
  readonly options: TlsOptions
  readonly host: string
  readonly insecure: boolean
  /** SHA-1 signatures and short RSA keys are accepted. */
  readonly weak: boolean
  #session: Uint8Array | null = null
  readonly #watch: WatchTls | null

  /**
   * `caFile` null: the system's CAs. Throws `BunlbError` when the file cannot be read.
   */
  constructor(
    host: string,
    caFile: string | null,
    { insecure, weakCertificates }: Pick<Settings, "insecure" | "weakCertificates">,
    watch: WatchTls | null = null,
  ) {
    this.host = host
    this.#watch = watch
    this.insecure = insecure
    this.weak = weakCertificates
    const ca = insecure ? undefined : authoritiesOf(caFile)
    const named = isIP(host) === 0
    this.options = {
      ...(ca === undefined ? {} : { ca }),
      serverName: named ? host : "",
      rejectUnauthorized: named && !insecure,
      minVersion: TLS_1_2,
    }
  }

  /** Somebody looks on at every handshake. */
  get watched(): boolean {
    return this.#watch !== null
  }

  /** Offers the last session. Called before the handshake. */
  resume(socket: TLSSocket): void {
    if (this.#session !== null) socket.setSession(this.#session)
  }

  /** Keeps a session that a verified connection was given. */
  remember(session: Uint8Array): void {
    this.#session = session
  }

  /**
   * The fault of the peer's certificate, or null when application bytes may flow. Bun's own verdict `ok` is not
   * to be trusted: it is true on a resumed session with a self-signed certificate.
   */
  fault(socket: TLSSocket, error: Error | null): string | null {
    const fault = this.#judge(socket, error)
    this.#watch?.(socket, fault === null && !this.insecure)
    return fault
  }

  #judge(socket: TLSSocket, error: Error | null | undefined): string | null {
    const code = error === null || error === undefined ? null : codeOf(error)
    if (error && code !== null && HANDSHAKE.test(code)) return handshakeFault(error)
    if (this.insecure) return null
    const named = this.options.serverName !== ""
    // Bun looks at the name only when the chain is good.
    if (code !== null && (named || code !== WRONG_NAME)) {
      return faultOf(code)
    }
    if (named && !socket.authorized) return "certificate not authorized"
    if (!this.#isNamed(socket, named)) return faultOf(WRONG_NAME)
    return this.weak ? null : weaknessOf(socket)
  }

  #isNamed(socket: TLSSocket, byName: boolean): boolean {
    if (byName) return isNamedByDns(socket, this.host)
    return checkServerIdentity(this.host, socket.getPeerCertificate()) === undefined
  }
}

const faults: Record<string, string> = {
  CERT_HAS_EXPIRED: "certificate expired",
  CERT_NOT_YET_VALID: "certificate not yet valid",
  DEPTH_ZERO_SELF_SIGNED_CERT: "certificate self-signed",
  SELF_SIGNED_CERT_IN_CHAIN: "certificate chain self-signed",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "certificate from an unknown CA",
  UNABLE_TO_GET_ISSUER_CERT: "certificate from an unknown CA",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "certificate from an unknown CA",
  [WRONG_NAME]: "certificate is for another host",
}

function faultOf(code: string): string {
  return faults[code] ?? `certificate refused: ${code}`
}

/** Codes of a handshake that failed; every other one is a verdict on a certificate. */
const HANDSHAKE = /^(EPROTO|ECONN[A-Z]*)?$/

/** BoringSSL ends its message with the reason: `...:WRONG_VERSION_NUMBER`, when the peer speaks no TLS. */
function handshakeFault(error: Error): string {
  const reason = /:([A-Z0-9_]+)$/.exec(error.message)?.[1]
  if (reason === undefined) return "TLS: closed in handshake"
  return `TLS handshake failed: ${reason.toLowerCase().replaceAll("_", " ")}`
}

function codeOf(error: unknown): string {
  if (error instanceof Error && "code" in error) return String(error.code)
  return error instanceof Error ? error.message : String(error)
}
