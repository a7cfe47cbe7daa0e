/** TLS backends for tests, which remember what they saw of bunlb's handshakes. */
import type { TLSSocket } from "bun"
import { certificates } from "../support/certificates.ts"
import type { Certificate } from "../support/certificates.ts"
import type { BackendPart } from "../support/balancer.ts"
import { ScriptedBackend, answering } from "../support/scripted-backend.ts"
import type { ConnectionHandler } from "../support/scripted-backend.ts"

export const TLS_1_2 = 0x303
export const TLS_1_3 = 0x304

export const GET = "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n"

/** What a runner's environment says of CAs must not decide these tests. */
delete process.env["NODE_EXTRA_CA_CERTS"]
delete process.env["SSL_CERT_FILE"]

interface ServerTls extends Certificate {
  readonly maxVersion: number
}

/** What the server's side saw of one handshake. */
export interface Handshake {
  readonly version: string
  /** The server name that came, or "none". */
  readonly name: string
  readonly resumed: boolean
}

export interface TlsBackend extends Disposable {
  readonly port: number
  readonly scripted: ScriptedBackend
  /** Those that ended well, in their order. */
  readonly handshakes: readonly Handshake[]
}

export interface TlsBackendOptions {
  readonly certificate?: Certificate
  readonly maxVersion?: number
  /** Where it listens: 127.0.0.1 unless told otherwise. */
  readonly host?: string
  /** Runs when the handshake is over. */
  readonly handler?: ConnectionHandler
}

/** Answers every request with "secure" unless told otherwise. */
export async function tlsBackend(options: TlsBackendOptions = {}): Promise<TlsBackend> {
  const { certificate = certificates().good, maxVersion = TLS_1_3 } = options
  const handler = options.handler ?? answering(() => "secure")
  const handshakes: Handshake[] = []
  const tls: ServerTls = { ...certificate, maxVersion }
  const scripted = await ScriptedBackend.start(
    async (connection) => {
      await connection.secured()
      handshakes.push(handshakeOf(connection.socket as TLSSocket | null))
      await handler(connection)
    },
    { tls, ...(options.host === undefined ? {} : { host: options.host }) },
  )
  return {
    port: scripted.port,
    scripted,
    handshakes,
    [Symbol.dispose]: () => scripted.stop(),
  }
}

function handshakeOf(socket: TLSSocket | null): Handshake {
  if (socket === null) throw new Error("the connection is gone")
  return {
    version: socket.getTLSVersion(),
    name: String(socket.getServername() || "none"),
    resumed: socket.isSessionReused(),
  }
}

/** How bunlb is told of a backend: by name, verified against the test's own CA. */
export function over(
  { port }: { readonly port: number },
  more: Omit<BackendPart & object, "port"> = {},
): BackendPart {
  return { host: "localhost", tls: true, ca: certificates().caFile, ...more, port }
}

/** What a plain server says to what it does not understand. */
export const plainServer: ConnectionHandler = async (connection) => {
  await connection.receiveBytes(1)
  await connection.send("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
  await connection.close()
}
