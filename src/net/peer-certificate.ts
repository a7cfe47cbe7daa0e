/**
 * What the certificates of a TLS peer prove beyond the chain: the name, and that nobody can have forged them.
 *
 * A name counts only as a DNS entry of subjectAltName (RFC 9525 section 6.3). BoringSSL falls back to the common name
 * when there is no such entry, and name constraints of a CA do not bind a common name: a CA that may only speak for
 * `allowed.test` could speak for any host. SHA-1 signatures can be forged, and RSA below 2,048 bits can be factored
 * (CA/Browser Forum baseline requirements, sections 6.1.5 and 7.1.3.2).
 *
 * Cost: about 30 us for each certificate of the chain, once a handshake.
 */
import { X509Certificate } from "node:crypto"
import type { PeerCertificate } from "node:tls"
import type { TLSSocket } from "bun"

type Peer = PeerCertificate | null | undefined

const SHORTEST_RSA = 2_048
/** A chain may go in a circle, and is the peer's to choose. */
const LONGEST_CHAIN = 10

/** Whether the peer's certificate names `host` as a DNS name, wildcards included. */
export function isNamedByDns(socket: TLSSocket, host: string): boolean {
  const certificate = readCertificate(socket.getPeerCertificate())
  return certificate?.checkHost(host, { subject: "never" }) !== undefined
}

/**
 * Why the peer's chain could have been forged, or null. A certificate that is signed with its own key was trusted by
 * name, so its signature proves nothing and is not judged.
 */
export function weaknessOf(socket: TLSSocket): string | null {
  // The argument is not in Bun's types: true leaves out the certificates of the issuers.
  const withIssuers = socket as unknown as { getPeerCertificate(short: boolean): Peer }
  let next = withIssuers.getPeerCertificate(false)
  for (let depth = 0; depth < LONGEST_CHAIN; depth++) {
    const certificate = readCertificate(next)
    if (certificate === null) return null
    const isSelfSigned = certificate.issuer === certificate.subject
    const bits = certificate.publicKey.asymmetricKeyDetails?.modulusLength ?? SHORTEST_RSA
    if (bits < SHORTEST_RSA && (depth === 0 || !isSelfSigned)) return "certificate has a short key"
    if (isSelfSigned) return null
    if (isWeakHash(certificate)) return "certificate is signed with SHA-1"
    next = issuerOf(next)
  }
  return null
}

function readCertificate(peer: Peer): X509Certificate | null {
  const raw = peer?.raw
  return raw === undefined || raw === null ? null : new X509Certificate(raw)
}

/** MD5 and older ones BoringSSL refuses by itself. */
function isWeakHash(certificate: X509Certificate): boolean {
  return /sha-?1(?!\d)/i.test(certificate.signatureAlgorithm ?? "")
}

function issuerOf(peer: Peer): Peer {
  return peer && "issuerCertificate" in peer ? (peer.issuerCertificate as Peer) : null
}
