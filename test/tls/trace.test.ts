/** What `--tls-trace` and `--trace` show a person, and what they must not. */
import { expect } from "bun:test"
import { TestBalancer } from "../support/balancer.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend, answer } from "../support/scripted-backend.ts"
import type { ConnectionHandler } from "../support/scripted-backend.ts"
import { GET, TLS_1_2, over, tlsBackend } from "./tls-backend.ts"
import { certificates } from "../support/certificates.ts"
import { withPrograms } from "../support/left-out.ts"

const test = withPrograms("TLS to backends", "openssl")

const once: ConnectionHandler = async (connection) => {
  await connection.receiveRequest()
  await connection.send(answer(200, "once", "Connection: close"))
  await connection.close()
}

test("--tls-trace is one line for each handshake", async () => {
  using backend = await tlsBackend({ handler: once })
  const balancer = await TestBalancer.start([over(backend)], { tlsTrace: true })
  for (let dial = 0; dial < 2; dial++) {
    const client = await RawClient.connect(balancer.port)
    expect((await client.exchange(GET)).status).toBe(200)
  }
  const line = (resumed: string): string =>
    `info: tls localhost:${backend.port}: TLSv1.3 TLS_AES_128_GCM_SHA256, SNI localhost, ALPN none, ` +
    `certificate bunlb test good, expires Dec 31 00:00:00 2099 GMT, ${resumed}, verified`
  expect([...balancer.lines]).toEqual([line("full handshake"), line("resumed")])
})

test("--tls-trace tells an older version, an address, and a certificate taken on trust", async () => {
  const { expired } = certificates()
  using backend = await tlsBackend({ certificate: expired, maxVersion: TLS_1_2 })
  const balancer = await TestBalancer.start([over(backend, { host: "127.0.0.1" })], {
    tlsTrace: true,
    insecure: true,
  })
  const client = await RawClient.connect(balancer.port)
  expect((await client.exchange(GET)).status).toBe(200)
  const [line = ""] = balancer.lines
  expect(line).toMatch(/^info: tls 127\.0\.0\.1:\d+: TLSv1\.2 ECDHE-\S+, SNI none, /)
  expect(line).toMatch(/ 2020 GMT, full handshake, NOT verified$/)
})

test("--tls-trace names a certificate without a common name by its other names", async () => {
  using backend = await tlsBackend({ certificate: certificates().nameless })
  const balancer = await TestBalancer.start([over(backend)], { tlsTrace: true })
  const client = await RawClient.connect(balancer.port)
  expect((await client.exchange(GET)).status).toBe(200)
  expect(balancer.lines[0]).toContain(
    ", certificate DNS:localhost, IP Address:127.0.0.1, expires Dec 31 00:00:00 2099 GMT, ",
  )
})

test("--tls-trace shows the certificate that was refused", async () => {
  using backend = await tlsBackend({ certificate: certificates().wrongHost })
  const balancer = await TestBalancer.start([over(backend)], { tlsTrace: true })
  const client = await RawClient.connect(balancer.port)
  expect((await client.exchange(GET)).status).toBe(502)
  expect(balancer.lines[0]).toMatch(/certificate bunlb test wrong-host, .* NOT verified$/)
})

test("--trace shows heads and bodies of both sides with every secret masked", async () => {
  using backend = await ScriptedBackend.start(async (connection) => {
    await connection.receiveRequest()
    void connection.send(
      answer(200, "pong", "Set-Cookie: id=hush1", "set-cookie: x=hush2", "X-Plain: seen"),
    )
  })
  const balancer = await TestBalancer.start([backend.port], { trace: true })
  const client = await RawClient.connect(balancer.port)
  const secrets = [
    "Authorization: Bearer hush3",
    "cookie: a=hush4; b=hush5",
    "PROXY-AUTHORIZATION: Basic hush6",
    "Cookie:hush7",
  ].join("\r\n")
  await client.exchange(
    `POST /x HTTP/1.1\r\nHost: shop\r\n${secrets}\r\nContent-Length: 4\r\n\r\nping`,
  )
  const text = balancer.lines.join("\n")
  expect(text).not.toContain("hush")
  for (const shown of [
    /^info: trace #\d+ >   POST \/x HTTP\/1\.1$/m,
    /^info: trace #\d+ >   Authorization: \*\*\*$/m,
    /^info: trace #\d+ >   cookie: \*\*\*$/m,
    /^info: trace #\d+ >   Cookie: \*\*\*$/m,
    /^info: trace #\d+  >  X-Forwarded-For: 127\.0\.0\.1$/m,
    /^info: trace #\d+  >  cookie: \*\*\*$/m,
    /^info: trace #\d+ > 0000 {2}70 69 6e 67 +ping$/m,
    /^info: trace #\d+  <  HTTP\/1\.1 200 X$/m,
    /^info: trace #\d+  <  Set-Cookie: \*\*\*$/m,
    /^info: trace #\d+  <  set-cookie: \*\*\*$/m,
    /^info: trace #\d+  <  X-Plain: seen$/m,
    /^info: trace #\d+ < 0000 {2}70 6f 6e 67 +pong$/m,
  ]) {
    expect(text).toMatch(shown)
  }
})

test("--trace shows no control bytes of a peer, and not all of a long body", async () => {
  using backend = await ScriptedBackend.start(async (connection) => {
    await connection.receiveRequest()
    void connection.send(answer(200, `\x1b[2J${"x".repeat(1000)}`, "X-Odd: a\x9b\xffb"))
  })
  const balancer = await TestBalancer.start([backend.port], { trace: true })
  const client = await RawClient.connect(balancer.port)
  await client.exchange(GET)
  const text = balancer.lines.join("\n")
  expect(text).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\xff]/)
  expect(text).toMatch(/^info: trace #\d+ < \.\.\. 748 bytes more$/m)
})
