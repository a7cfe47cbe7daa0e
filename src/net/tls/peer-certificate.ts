/**
 * What the certificates of a TLS peer prove beyond the chain: the name, and that nobody can have forged them.
 *
 * A name counts only as a DNS entry of subjectAltName (RFC 9525 section 6.3). BoringSSL falls back to the common name
 * when there is no such entry, and name constraints of a CA do not bind a common name: a CA that may only speak for
 * `allowed.test` could speak for any host. SHA-1 signatures can be forged, and RSA below 2,048 bits can be factored
 * (CA/Browser Forum baseline requirements, sections 6.1.5 and 7.1.3.2).
 *
 * Cost: about 5 us for each certificate of the chain, and 60 us for a root that is signed with SHA-1; once a handshake.
 */
import { X509Certificate } from "node:crypto"
import type { PeerCertificate } from "node:tls"
import type { TLSSocket } from "bun"

type Peer = PeerCertificate | null | undefined

const SHORTEST_RSA = 2_048
/** The peer chooses how many certificates it sends. */
const LONGEST_CHAIN = 10

/** Whether the peer's certificate names `host` as a DNS name. A wildcard stands for the whole first label. */
export function isNamedByDns(socket: TLSSocket, host: string): boolean {
  const certificate = readCertificate(socket.getPeerCertificate())
  return certificate?.checkHost(host, wholeLabels) !== undefined
}

const wholeLabels = { subject: "never", partialWildcards: false } as const

/**
 * Why the peer's chain could have been forged, or null. Which of the certificates BoringSSL has built its chain of is
 * not known, and a peer may send others among them, so all are judged: those that the peer has sent, in its order, and
 * those that complete the last of them.
 */
export function weaknessOf(socket: TLSSocket): string | null {
  // The argument is not in Bun's types: true leaves out the certificates of the issuers.
  const withIssuers = socket as unknown as { getPeerCertificate(short: boolean): Peer }
  let peer = withIssuers.getPeerCertificate(false)
  for (let depth = 0; depth < LONGEST_CHAIN; depth++) {
    const certificate = readCertificate(peer)
    if (certificate === null) return null
    const bits = certificate.publicKey.asymmetricKeyDetails?.modulusLength ?? SHORTEST_RSA
    if (bits < SHORTEST_RSA) return "certificate has a short key"
    if (isWeakHash(certificate) && !isSelfSigned(certificate)) {
      return "certificate is signed with SHA-1"
    }
    const issuer = issuerOf(peer)
    // The issuer of a root is the root.
    if (issuer === peer) return null
    peer = issuer
  }
  return "certificate chain is too long"
}

function readCertificate(peer: Peer): X509Certificate | null {
  const raw = peer?.raw
  return raw === undefined || raw === null ? null : new X509Certificate(raw)
}

/** MD5 and older ones BoringSSL refuses by itself. */
function isWeakHash(certificate: X509Certificate): boolean {
  return /sha-?1(?!\d)/i.test(certificate.signatureAlgorithm ?? "")
}

/**
 * Such a certificate is trusted as it is or not at all, so its signature proves nothing. The name of its issuer alone
 * does not make it one: a forged CA may have the name of the CA that it claims to be signed by.
 */
function isSelfSigned(certificate: X509Certificate): boolean {
  return certificate.issuer === certificate.subject && certificate.verify(certificate.publicKey)
}

function issuerOf(peer: Peer): Peer {
  return peer && "issuerCertificate" in peer ? (peer.issuerCertificate as Peer) : null
}
