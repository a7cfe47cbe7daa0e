/** What a certificate must prove beyond its chain: the name as a DNS name, and that nobody can have forged it. */
import { describe, expect } from "bun:test"
import { X509Certificate } from "node:crypto"
import type { TLSSocket } from "bun"
import { isNamedByDns } from "../../src/net/tls/peer-certificate.ts"
import { TestBalancer } from "../support/balancer.ts"
import { certificates } from "../support/certificates.ts"
import { RawClient } from "../support/raw-client.ts"
import { GET, TLS_1_2, TLS_1_3, over, tlsBackend } from "./tls-backend.ts"
import { withPrograms } from "../support/left-out.ts"

const test = withPrograms("TLS to backends", "openssl")

const made = certificates()
const { caFile, commonName, weak, longChain, shortRoot, shortRootFile } = made
const sha1 = "certificate is signed with SHA-1"
const short = "certificate has a short key"

async function refusalOf(
  balancer: TestBalancer,
  backend: Awaited<ReturnType<typeof tlsBackend>>,
): Promise<[number, string, number[]]> {
  const client = await RawClient.connect(balancer.port)
  const { status, body } = await client.exchange(GET)
  await client.close()
  return [status, body.toString(), backend.scripted.connections.map((each) => each.bytesReceived)]
}

describe.each([TLS_1_2, TLS_1_3])("version %p", (maxVersion) => {
  test.each(commonName.map((certificate, number) => [number, certificate] as const))(
    "a common name is not believed: %p",
    async (_number, certificate) => {
      using backend = await tlsBackend({ certificate, maxVersion })
      const balancer = await TestBalancer.start([over(backend)])
      const [status, body, received] = await refusalOf(balancer, backend)
      expect(status).toBe(502)
      expect(body).toContain("certificate is for another host")
      expect(received).toEqual([0])
    },
  )

  test.each([
    ["sha1", weak.sha1, sha1, caFile],
    ["shortKey", weak.shortKey, short, caFile],
    ["sha1Issuer", weak.sha1Issuer, sha1, caFile],
    ["shortIssuer", weak.shortIssuer, short, caFile],
    ["selfIssued", weak.selfIssued, sha1, caFile],
    ["behindOthers", weak.behindOthers, sha1, caFile],
    ["longChain", longChain, "certificate chain is too long", caFile],
    ["shortRoot", shortRoot, short, shortRootFile],
  ])(
    "what could be forged is refused unless allowed: %s",
    async (_name, certificate, fault, ca) => {
      using backend = await tlsBackend({ certificate, maxVersion })
      const part = over(backend, { ca })
      const strict = await TestBalancer.start([part])
      const [status, body, received] = await refusalOf(strict, backend)
      expect(status).toBe(502)
      expect(body).toContain(fault)
      expect(received).toEqual([0])
      const lax = await TestBalancer.start([part], { weakCertificates: true })
      expect((await refusalOf(lax, backend))[0]).toBe(200)
      // A reload changes its mind, without connections and sessions made before.
      await lax.apply([part])
      expect((await refusalOf(lax, backend))[0]).toBe(502)
    },
  )
})

test("a wildcard stands for a whole label only", () => {
  const socketOf = (pem: string): TLSSocket => {
    const { raw } = new X509Certificate(pem)
    return { getPeerCertificate: () => ({ raw }) } as unknown as TLSSocket
  }
  expect(isNamedByDns(socketOf(made.partialWildcard.cert), "www.example.test")).toBe(false)
  expect(isNamedByDns(socketOf(made.good.cert), "localhost")).toBe(true)
})
