/** CA files as they are found in the field: what is read from them, and what is refused. */
import { expect } from "bun:test"
import { readFileSync } from "node:fs"
import { X509Certificate } from "node:crypto"
import { certificatesOf } from "../../../src/net/tls/pem.ts"
import { certificates } from "../../support/certificates.ts"
import { withPrograms } from "../../support/left-out.ts"

const test = withPrograms("CA files", "openssl")

const { caFile, unknownCaFile } = certificates()
const one = readFileSync(caFile, "utf8")
const other = readFileSync(unknownCaFile, "utf8")
const print = (pem: string): string => new X509Certificate(pem).fingerprint256

function prints(file: string | Buffer): string[] {
  const pem = certificatesOf(Buffer.from(file))
  return pem.split(/(?<=-----END CERTIFICATE-----\n)/).map(print)
}

function openssl(words: readonly string[]): string {
  if (Bun.which("openssl") === null) return one
  const made = Bun.spawnSync(["openssl", "x509", ...words], { stdin: Buffer.from(one) })
  if (made.exitCode !== 0) throw new Error(made.stderr.toString())
  return made.stdout.toString()
}

const utf16 = (text: string): Buffer => Buffer.from(`\uFEFF${text}`, "utf16le")
const relabelled = one.replaceAll("CERTIFICATE", "X509 CERTIFICATE")

test.each([
  ["plain", one],
  ["with a byte order mark", `\uFEFF${one}`],
  ["in UTF-16, as some editors on Windows save it", utf16(one)],
  ["in UTF-16 of the other order", utf16(one).swap16()],
  ["with CRLF", one.replaceAll("\n", "\r\n")],
  ["with CR alone", one.replaceAll("\n", "\r")],
  ["with text around it, in Latin-1", Buffer.from(`Autorit\xe9: x\n${one}fin\n`, "latin1")],
  ["without a line end", one.trimEnd()],
  ["with blanks behind the lines", one.replaceAll("\n", "  \n")],
  ["in one line of base64", one.replaceAll(/(?<=[A-Za-z0-9+/=])\n(?=[A-Za-z0-9+/=])/g, "")],
  ["as X509 CERTIFICATE", relabelled],
  ["as TRUSTED CERTIFICATE", openssl(["-trustout"])],
  ["trusted for servers", openssl(["-trustout", "-addtrust", "serverAuth"])],
  ["trusted for all", openssl(["-trustout", "-addtrust", "anyExtendedKeyUsage"])],
  ["not trusted for mail", openssl(["-trustout", "-addreject", "emailProtection"])],
])("%s", (_, file) => {
  expect(prints(file)).toEqual([print(one)])
})

test("several certificates, one of which must not vouch for servers", () => {
  const mail = openssl(["-trustout", "-addtrust", "emailProtection"])
  expect(prints(one + other)).toEqual([print(one), print(other)])
  expect(prints(mail + other)).toEqual([print(other)])
})

test.each([
  ["nothing", "", "holds no PEM certificate"],
  ["a key", one.replaceAll("CERTIFICATE", "PRIVATE KEY"), "holds no PEM certificate"],
  [
    "half of a file",
    one.slice(0, one.length / 2),
    "ends within a certificate, or holds damaged ones",
  ],
  [
    "a file that is still written",
    one + other.slice(0, 300),
    "ends within a certificate, or holds",
  ],
  ["lost lines", one.replace(/\n.{64}\n/, "\n"), "is damaged in certificate 1"],
  ["no base64", one.replace(/\n.{64}\n/, `\n${"*".repeat(64)}\n`), "is damaged in certificate 1"],
  [
    "refused for servers",
    openssl(["-trustout", "-addreject", "serverAuth"]),
    "holds no certificate that can vouch for a server",
  ],
])("%s: refused", (_, file, fault) => {
  expect(() => certificatesOf(Buffer.from(file))).toThrow(fault)
})
