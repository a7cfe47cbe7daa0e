/** Real clients of bunlb: whatever they are written in, they get what the backend says and it gets what they send. */
import { describe, expect, test } from "bun:test"
import { createHash } from "node:crypto"
import { join } from "node:path"
import { run, scripts, testWhere, testWith } from "./programs.ts"
import { hello, LARGE, largeSha256, node, python, seesAll, start } from "./site.ts"

describe("Python", () => {
  testWith("python3")("http.client sees all of it, on one connection", () => {
    return seesAll(python("http.client"), true)
  })
  testWith("python3")("urllib sees all of it", () => seesAll(python("urllib"), false))
  testWhere(["python3", "-c", "import requests"], "Python's requests is not installed")(
    "requests sees all of it",
    () => seesAll(python("requests"), false),
  )
})

describe("JavaScript", () => {
  testWith("node")("Node's http sees all of it, on one connection", () =>
    seesAll(node("http"), true),
  )
  testWith("node")("Node's fetch sees all of it", () => seesAll(node("fetch"), false))
  const whereUndici = ["node", "-e", `require.resolve("undici", { paths: [process.cwd()] })`]
  testWhere(whereUndici, "the package undici is not installed (Node's fetch is one, too)")(
    "undici sees all of it",
    () => seesAll(node("undici"), false),
  )
  test("Bun's fetch sees all of it", () => {
    return seesAll(
      (port) => [process.execPath, join(scripts, "client.mjs"), "fetch", `${port}`],
      false,
    )
  })
})

describe("curl", () => {
  const curlTest = testWith("curl")
  const curl = (...args: string[]) => run(["curl", "-sS", "--max-time", "10", ...args])

  curlTest("gets pages one after the other on one connection", async () => {
    using site = await start()
    const url = `http://127.0.0.1:${site.port}`
    const said = await curl(
      "-w",
      "%{http_code} %{num_connects}\n",
      `${url}/`,
      `${url}/nothing`,
      `${url}/`,
    )
    const missing = "behind has no such page\n404 0\n"
    expect(said).toBe(`${hello}200 1\n${missing}${hello}200 0\n`)
    expect(site.balancer.figure("bunlb_client_connections_total")).toBe(1)
  })

  curlTest("asks for heads, with 1.0 too", async () => {
    using site = await start()
    const head = await curl("-I", `http://127.0.0.1:${site.port}/bytes/5000`)
    expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    expect(head).toContain("Content-Length: 5000\r\n")
    const old = await curl("-i", "--http1.0", `http://127.0.0.1:${site.port}/`)
    expect(old).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    expect(old).toContain("Connection: close\r\n")
    expect(old).toEndWith(`\r\n\r\n${hello}`)
  })

  for (const [name, args] of [
    ["of a known length, after 100-continue", ["-H", "Expect: 100-continue"]],
    ["in chunks", ["-H", "Transfer-Encoding: chunked"]],
    ["in chunks, without asking first", ["-H", "Transfer-Encoding: chunked", "-H", "Expect:"]],
  ] as const) {
    curlTest(`uploads 3 MB ${name}`, async () => {
      using site = await start()
      const body = Buffer.alloc(3_000_000, "upload")
      const url = `http://127.0.0.1:${site.port}/echo`
      const said = await run(
        ["curl", "-sS", "--max-time", "10", ...args, "--data-binary", "@-", url],
        body,
      )
      const { bodyLength, bodySha256 } = JSON.parse(said)
      expect(bodyLength).toBe(body.length)
      expect(bodySha256).toBe(createHash("sha256").update(body).digest("hex"))
    })
  }

  curlTest("downloads 20 MB, byte for byte", async () => {
    using site = await start()
    const url = `http://127.0.0.1:${site.port}/bytes/${LARGE}`
    const said = await run(["sh", "-c", `curl -sS --max-time 10 ${url} | sha256sum`])
    expect(said).toStartWith(largeSha256)
  })
})

testWith("bash")(
  "a person who types at the bare socket is answered, with a line's pause too",
  async () => {
    using site = await start()
    const typing = [
      `exec 3<>/dev/tcp/127.0.0.1/${site.port}`,
      "printf 'GET / HTT' >&3; sleep 0.05",
      "printf 'P/1.0\\r\\n' >&3; sleep 0.05",
      "printf '\\r\\n' >&3",
      "cat <&3",
    ].join("; ")
    const said = await run(["bash", "-c", typing])
    expect(said).toStartWith("HTTP/1.1 200 OK\r\n")
    expect(said).toEndWith(`\r\n\r\n${hello}`)
  },
)
