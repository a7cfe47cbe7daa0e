/** Logs one line for each TLS handshake with a backend (`--tls-trace`). */
import type { PeerCertificate } from "node:tls"
import type { WatchTls } from "../net/tls/tls-client.ts"
import type { Log } from "../core/log.ts"

export function traceTls(log: Log, backend: string): WatchTls {
  return (socket, verified) => {
    const cipher = socket.getCipher()
    const certificate = socket.getPeerCertificate()
    log.info(
      `tls ${backend}: ${socket.getTLSVersion()} ${cipher?.name ?? "no cipher"}, ` +
        `SNI ${socket.getServername() || "none"}, ALPN ${socket.alpnProtocol || "none"}, ` +
        `certificate ${nameOf(certificate)}, expires ${certificate?.valid_to ?? "unknown"}, ` +
        `${socket.isSessionReused() ? "resumed" : "full handshake"}, ` +
        `${verified ? "verified" : "NOT verified"}`,
    )
  }
}

/** Many certificates have no common name, because names belong into subjectAltName (RFC 9525 section 4). */
function nameOf(certificate: PeerCertificate | null | undefined): string {
  if (!certificate?.valid_to) return "no certificate"
  return String(certificate.subject?.CN ?? certificate.subjectaltname ?? "without a name")
}
