/** What `--tls-trace` says of each handshake with a backend: one line. */
import type { TLSSocket } from "bun"
import type { Log } from "../observe/log.ts"

export function traceTls(log: Log, backend: string): (socket: TLSSocket) => void {
  return (socket) => {
    const cipher = socket.getCipher()
    const certificate = socket.getPeerCertificate()
    const subject = certificate?.subject?.CN ?? "no certificate"
    log.info(
      `tls ${backend}: ${socket.getTLSVersion()} ${cipher?.name ?? "no cipher"}, ` +
        `SNI ${socket.getServername() || "none"}, ALPN ${socket.alpnProtocol || "none"}, ` +
        `certificate ${subject}, expires ${certificate?.valid_to ?? "unknown"}, ` +
        `${socket.isSessionReused() ? "resumed" : "full handshake"}, ` +
        `${socket.authorized ? "verified" : "NOT verified"}`,
    )
  }
}
