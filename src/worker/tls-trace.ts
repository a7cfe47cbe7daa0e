/** What `--tls-trace` says of each handshake with a backend: one line. */
import type { WatchTls } from "../net/tls-client.ts"
import type { Log } from "../observe/log.ts"

export function traceTls(log: Log, backend: string): WatchTls {
  return (socket, verified) => {
    const cipher = socket.getCipher()
    const certificate = socket.getPeerCertificate()
    const subject = certificate?.subject?.CN ?? "no certificate"
    log.info(
      `tls ${backend}: ${socket.getTLSVersion()} ${cipher?.name ?? "no cipher"}, ` +
        `SNI ${socket.getServername() || "none"}, ALPN ${socket.alpnProtocol || "none"}, ` +
        `certificate ${subject}, expires ${certificate?.valid_to ?? "unknown"}, ` +
        `${socket.isSessionReused() ? "resumed" : "full handshake"}, ` +
        `${verified ? "verified" : "NOT verified"}`,
    )
  }
}
