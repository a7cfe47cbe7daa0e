/** The mistakes that people make first, and the exact line that each gets. Never a stack trace. */
import { afterAll, expect, test } from "bun:test"
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { guard } from "../../src/admin/guard.ts"
import { spawnBunlb } from "../support/processes.ts"
import { bunlb } from "./fake-terminal.ts"

const folder = mkdtempSync(join(tmpdir(), "bunlb-mistakes-"))
afterAll(() => rmSync(folder, { recursive: true }))

test.each<[string, string]>([
  ["", "no backend, name at least one: bunlb -b 127.0.0.1:9001 (or try: bunlb demo)"],
  ["run", "no backend, name at least one: bunlb -b 127.0.0.1:9001 (or try: bunlb demo)"],
  ["check", "no backend, name at least one: bunlb -b 127.0.0.1:9001 (or try: bunlb demo)"],
  ["--prot 80", "unknown flag --prot, did you mean --port?"],
  ["chekc", 'unknown command "chekc", did you mean check?'],
  ["10.0.0.1:80", 'unknown command "10.0.0.1:80", did you mean -b 10.0.0.1:80?'],
  ["dance", 'unknown command "dance", see --help'],
  ["toString", 'unknown command "toString", see --help'],
  ["-b a:80 check", 'unexpected argument "check", a command comes first: bunlb check ...'],
  ["-c a.yaml check", 'unexpected argument "check", a command comes first: bunlb check ...'],
  ["check a.yaml", 'unexpected argument "a.yaml", did you mean -c a.yaml?'],
  ["a.yaml", 'unknown command "a.yaml", did you mean -c a.yaml?'],
  ["undrain a:80", 'unknown command "undrain", did you mean enable?'],
  [
    "-b a:80 weight=3",
    'unexpected argument "weight=3", write it behind its backend: -b HOST:PORT,weight=3',
  ],
  ["--weight 3 -b a:80", "unknown flag --weight, write it behind its backend: HOST:PORT,weight=N"],
  ["-port 80 -b a:80", "unknown flag -port, did you mean --port?"],
  [
    "--daemon -b a:80",
    "unknown flag --daemon, it stays in the foreground, a service manager keeps it",
  ],
  [
    "-b unix:/run/app.sock",
    '--backend: "unix:/run/app.sock" is a unix socket, backends are reached by TCP: HOST:PORT',
  ],
  [
    "-b a:80,down",
    '--backend: "a:80" has the unknown option "down", ' +
      "there are weight, backup, tls, ca, drain, disabled",
  ],
  ["-b a:80, -b b:80", '--backend: "a:80" has a comma with nothing behind it'],
  [
    "-p 127.0.0.1:80 -b a:80",
    '--port: expected a whole number from 0 to 65535, got "127.0.0.1:80", ' +
      "the address is another setting: host",
  ],
  [
    "--admin-token tea -b a:80",
    "--admin-token: expected 16 to 256 characters without spaces, got a value of 3 characters",
  ],
  ["set weight a:80 many", 'weight of a:80: expected a whole number from 1 to 1000, got "many"'],
  [
    "set weight a:80 0",
    'weight of a:80: expected a whole number from 1 to 1000, got "0", ' +
      "to send it no requests use drain",
  ],
  [
    "--max-connections 5 -b a:80",
    "unknown flag --max-connections, did you mean --limit-connections?",
  ],
  [
    "--timeout 5s -b a:80",
    "unknown flag --timeout, there are --response-head-timeout and --backend-body-timeout",
  ],
  ["set a:80 weight 3", 'cannot set "a:80", write: bunlb set weight BACKEND N'],
  ["-b", "-b needs a value: -b HOST:PORT[,weight=N][,backup][,tls][,ca=FILE]"],
  ["-b -p 80", "-b needs a value: -b HOST:PORT[,weight=N][,backup][,tls][,ca=FILE]"],
  ["-b a", '--backend: "a" has no port, write a:80'],
  ["-b a:80 -b a:80", '--backend: "a:80" is there twice, keep one'],
  ["-b ::1:80", '--backend: "::1:80" needs brackets around the IPv6 address, such as [::1]:8080'],
  [
    "-b http://a/api",
    '--backend: "http://a/api" has a path, a backend is only HOST:PORT: ' +
      "paths are forwarded as they come",
  ],
  ["-p http -b a:80", '--port: expected a whole number from 0 to 65535, got "http"'],
  ["-p 70000 -b a:80", '--port: expected a whole number from 0 to 65535, got "70000"'],
  [
    "-w 0 -b a:80",
    '--workers: expected a whole number from 1 to 256, got "0", leave it out for one a CPU',
  ],
  ["-s best -b a:80", '--strategy: expected round_robin, random, weighted or sticky, got "best"'],
  ["-m many -b a:80", '--mode: expected mp or sp, got "many"'],
  ["-l loud -b a:80", '--log-level: expected err, warn, info or debug, got "loud"'],
  [
    "-h example.com -b a:80",
    '--host: expected an IP address such as 0.0.0.0, 127.0.0.1 or ::, got "example.com"',
  ],
  [
    "--admin 9900 -b a:80",
    '--admin: expected HOST:PORT such as 127.0.0.1:9900, unix:/PATH, or off, got "9900"',
  ],
  ["--health-interval 5 -b a:80", "--health-interval: 5 has no unit, write 5ms, 5s, 5m or 5h"],
  ["-c none.yaml", "config: none.yaml: no such file or folder"],
  ["-c bunlb.conf", "config: bunlb.conf: the name must end in .yaml, .yml, .toml or .json"],
  ["health --admin off", "--admin: expected HOST:PORT or unix:/PATH, got off"],
  ["backend --fail-rate 2", '--fail-rate: expected a number from 0 to 1 such as 0.1, got "2"'],
  ["backend --status 42", '--status: expected a whole number from 200 to 599, got "42"'],
  ["demo -b a:80", "unknown flag -b, see --help"],
])("bunlb %s", async (line, fault) => {
  const said = await bunlb(line.split(" ").filter(Boolean))
  expect(said).toEqual({ code: 2, out: "", complaints: `bunlb: ${fault}` })
})

test("a file without backends is told by its name", async () => {
  const file = join(folder, "empty.yaml")
  await Bun.write(file, "port: 80\n")
  const fault = `bunlb: config: ${file}: no backend, add one: backends: ["127.0.0.1:9001"]`
  expect(await bunlb(["-c", file])).toEqual({ code: 2, out: "", complaints: fault })
})

test("every fault of a file is a line of its own", async () => {
  const file = join(folder, "bad.yaml")
  await Bun.write(file, "prot: 80\nbackends:\n  - a:80\n  - host: b\n    port: 80\n    wieght: 2\n")
  const complaints = [
    `bunlb: config: ${file}:1:1: prot: unknown key, did you mean "port"?`,
    `bunlb: config: ${file}:6:5: backends[1].wieght: unknown key, did you mean "weight"?`,
  ].join("\n")
  expect(await bunlb(["check", "-c", file])).toEqual({ code: 2, out: "", complaints })
})

test.each(["bunlb.yaml", "bunlb.yml", "bunlb.toml", "bunlb.json"])(
  "%s in the folder is named and not read",
  async (name) => {
    const cwd = join(folder, name.replace(".", "-"))
    mkdirSync(cwd)
    await Bun.write(join(cwd, name), "no: settings at all")
    for (const words of [[], ["check"]]) {
      await using program = spawnBunlb(words, { cwd })
      expect(await program.exited()).toBe(2)
      const command = ["bunlb", ...words].join(" ")
      const line = `bunlb: no backend: ${name} is here but was not named, write: ${command} -c ${name}`
      expect(program.lines).toEqual([line])
    }
  },
)

test("a wrong token is told as wrong, and where it came from", async () => {
  const reasons: string[] = []
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request) => {
      const refusal = guard(request, {
        address: { host: "127.0.0.1", port: 9900 },
        token: "the-token-of-this-test",
      })
      reasons.push(refusal?.message ?? "")
      return Response.json({ error: refusal }, { status: refusal?.status ?? 200 })
    },
  })
  const drain = ["drain", "a:80", "--admin", `127.0.0.1:${server.port}`]
  const none = await bunlb(drain)
  expect(none.complaints).toContain("takes changes only with its token")
  const typed = await bunlb([...drain, "--admin-token", "another-token-16"])
  expect(typed.complaints).toContain("the token of --admin-token is wrong")
  const set = await bunlb(drain, { BUNLB_ADMIN_TOKEN: "another-token-16" })
  expect(set.complaints).toContain("the token of BUNLB_ADMIN_TOKEN is wrong")
  expect((await bunlb(drain, { BUNLB_ADMIN_TOKEN: "" })).complaints).toBe(none.complaints)
  expect([none.code, typed.code, set.code]).toEqual([1, 1, 1])
  expect(reasons.map((reason) => reason.includes("wrong"))).toEqual([false, true, true, false])
  await server.stop(true)
})
