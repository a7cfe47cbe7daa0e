/** `bunlb check`: what is fine, what is unwise, and CA files that are not there. */
import { afterAll, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { bunlb } from "./fake-terminal.ts"

const folder = mkdtempSync(join(tmpdir(), "bunlb-check-"))
afterAll(() => rmSync(folder, { recursive: true }))

test("says what would run", async () => {
  expect(await bunlb(["check", "-b", "a:80", "-b", "[::1]:81"])).toEqual({
    code: 0,
    out: "ok: 2 backends, round_robin, 4 workers, port 0.0.0.0:8080, admin 127.0.0.1:9900",
    complaints: "",
  })
  const words = "check -b a:80 -b b:80 -m sp -s random -h :: -p 81 --admin off"
  expect(await bunlb(words.split(" "))).toEqual({
    code: 0,
    out: "ok: 2 backends, random, single process, port [::]:81, admin off",
    complaints: "",
  })
})

test("says what is unwise and still is content", async () => {
  expect(await bunlb(["check", "-b", "a:80", "-k", "-w", "1"])).toEqual({
    code: 0,
    out: "ok: 1 backend, round_robin, 1 worker, port 0.0.0.0:8080, admin 127.0.0.1:9900",
    complaints:
      "warning: insecure: the certificates of TLS backends are NOT verified\n" +
      "warning: backends: only one, nothing can take over when it fails",
  })
})

test("reads a file with its environment, flags over it", async () => {
  const file = join(folder, "ok.toml")
  await Bun.write(file, 'port = "${PORT}"\nbackends = ["a:80", "b:80"]\nworkers = 3\n')
  const { out } = await bunlb(["check", "-c", file, "-w", "2"], { PORT: "81" })
  expect(out).toBe("ok: 2 backends, round_robin, 2 workers, port 0.0.0.0:81, admin 127.0.0.1:9900")
})

test("prints what would be in force and who said so", async () => {
  const file = join(folder, "print.yaml")
  await Bun.write(file, "backends: [a:80, b:80]\nworkers: 3\n")
  const environment = { BUNLB_CONFIG: file, BUNLB_PORT: "81" }
  const { code, out, complaints } = await bunlb(["check", "--print", "-w", "2"], environment)
  expect([code, complaints]).toEqual([0, ""])
  expect(out).toStartWith(`backends:  # ${file}:1:1\n  - "a:80"\n  - "b:80"\n`)
  expect(out).toContain("\nport: 81  # BUNLB_PORT\n")
  expect(out).toContain("\nworkers: 2  # --workers\n")
})

test("finds a CA file that is missing or is none", async () => {
  const missing = join(folder, "missing.pem")
  const empty = join(folder, "empty.pem")
  await Bun.write(empty, "hello")
  const words = ["check", "-b", `a:443,ca=${missing}`, "-b", `b:443,ca=${empty}`]
  expect(await bunlb(words)).toEqual({
    code: 2,
    out: "",
    complaints:
      `bunlb: backend a:443: CA file ${missing} cannot be read: no such file or folder\n` +
      `bunlb: backend b:443: CA file ${empty} holds no PEM certificate`,
  })
})
