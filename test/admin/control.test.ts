/** What changes something through the admin listener: who may, and what is answered. */
import { describe, expect, test } from "bun:test"
import type { AdminControl } from "../../src/admin/control.ts"
import { guard } from "../../src/admin/guard.ts"
import { startAdmin, type AdminSource } from "../../src/admin/server.ts"
import { Refused } from "../../src/master/control/refused.ts"
import { sourceOf } from "../browser/picture.ts"
import { BunlbError } from "../../src/core/errors.ts"

const TOKEN = "0123456789abcdef"

const nothing = (): never => {
  throw new Error("nobody asked for this")
}
const source: AdminSource = {
  ...{
    health: nothing,
    ready: nothing,
    pulse: nothing,
    metrics: nothing,
    status: sourceOf({ backends: [], journal: [] }).status,
    // What is streamed begins before it can fail.
    live: sourceOf({ backends: [], journal: [] }).live,
    past: sourceOf({ backends: [], journal: [] }).past,
  },
}

/** Answers with what it was asked for. */
function echo(more: Partial<AdminControl> = {}): AdminControl {
  const did = async (...words: unknown[]) => ({
    changes: [words.join(" ").trim()],
    restart: [],
    byHand: [],
  })
  return {
    token: null,
    upgrade: () => did("upgrade"),
    reload: (dry) => did("reload", dry),
    drain: (name, grace, save) => did("drain", name, grace, save ? "save" : ""),
    enable: (name, save) => did("enable", name, save ? "save" : ""),
    disable: (name, save) => did("disable", name, save ? "save" : ""),
    setWeight: (name, weight, save) => did("weight", name, weight, save ? "save" : ""),
    add: (line, save, pool) => did("add", line, save ? "save" : "", pool ?? ""),
    remove: (name, save) => did("remove", name, save ? "save" : ""),
    explain: async ({ cookie, host, path, listener, pool }) => ({
      strategy: `for ${cookie} ${host} ${path} ${listener} ${pool}`,
      verdicts: [],
    }),
    ...more,
  }
}

interface Answer {
  readonly changes?: readonly string[]
  readonly restart?: readonly string[]
  readonly byHand?: readonly string[]
  readonly error?: { readonly code: string; readonly message: string }
}

async function listen(control: AdminControl) {
  const admin = await startAdmin({ host: "127.0.0.1", port: 0 }, { ...source, control })
  const post = async (path: string, body?: string, headers: Record<string, string> = {}) => {
    const url = `http://127.0.0.1:${admin.port}/api/v1/${path}`
    const response = await fetch(url, { method: "POST", body: body ?? null, headers })
    const json = (await response.json()) as Answer
    return { status: response.status, json }
  }
  return { post, port: admin.port, [Symbol.asyncDispose]: () => admin.stop() }
}

test.each([
  ["reload", undefined, "reload false"],
  ["reload", '{"dry_run":true}', "reload true"],
  ["upgrade", undefined, "upgrade"],
  ["backends", '{"backend":"a:80,weight=2"}', "add a:80,weight=2"],
  ["backends", '{"backend":"a:80","pool":"api","save":true}', "add a:80 save api"],
  ["backends/api/a:80/drain", undefined, "drain api/a:80 0"],
  ["backends/API%2Fa:80/drain", undefined, "drain api/a:80 0"],
  ["backends/api//drain", undefined, "drain api/ 0"],
  ["backends/api%2Fdns+http%3A%2F%2Fweb%3A80/enable", undefined, "enable api/dns+http://web:80"],
  ["backends/a:80/drain", undefined, "drain a:80 0"],
  ["backends/a%3A80/drain", '{"grace":5000}', "drain a:80 5000"],
  ["backends/[::1]:80/enable", undefined, "enable [::1]:80"],
  ["backends/A:80/disable", "{}", "disable a:80"],
  ["backends/a:80/weight", '{"weight":7}', "weight a:80 7"],
  ["backends/a:80/remove", undefined, "remove a:80"],
  ["backends", '{"backend":"a:80","save":true}', "add a:80 save"],
  ["backends/a:80/drain", '{"grace":1,"save":true}', "drain a:80 1 save"],
  ["backends/a:80/enable", '{"save":true}', "enable a:80 save"],
  ["backends/a:80/disable", '{"save":true}', "disable a:80 save"],
  ["backends/a:80/weight", '{"weight":7,"save":true}', "weight a:80 7 save"],
  ["backends/a:80/remove", '{"save":false}', "remove a:80"],
])("POST %s %s", async (path, body, did) => {
  await using admin = await listen(echo())
  const { status, json } = await admin.post(path, body)
  expect([status, json]).toEqual([200, { changes: [did], restart: [], byHand: [] }])
})

test.each([
  ["reload", "[1]", 400, "bad_body"],
  ["reload", "{", 400, "bad_body"],
  ["backends/a:80/weight", '{"weight":0}', 400, "bad_value"],
  ["backends/a:80/weight", "", 400, "bad_value"],
  ["backends/a:80/drain", '{"grace":-1}', 400, "bad_value"],
  ["backends/a:80/enable", '{"save":"yes"}', 400, "bad_value"],
  ["backends", undefined, 400, "bad_value"],
  ["backends", '{"backend":7}', 400, "bad_value"],
  ["backends/a:80/explode", undefined, 404, "not_found"],
  ["backends/a:80/toString", undefined, 404, "not_found"],
])("POST %s %s is %d %s", async (path, body, code, reason) => {
  await using admin = await listen(echo())
  const { status, json } = await admin.post(path, body)
  expect([status, json.error?.code]).toEqual([code, reason])
})

test("a body longer than anything bunlb takes is 413, with the reason", async () => {
  await using admin = await listen(echo())
  const { status, json } = await admin.post("reload", `{"dry_run":"${"x".repeat(100_000)}"}`)
  expect([status, json.error?.code]).toEqual([413, "too_large"])
})

test("a bad configuration is told with its place, an unknown backend is 404, a fault of ours says nothing", async () => {
  const line = "config: bunlb.yaml:3:5: prot: unknown key"
  await using admin = await listen(
    echo({
      reload: () => Promise.reject(new BunlbError("BUNLB_E_CONFIG", line)),
      enable: () => Promise.reject(new Refused("unknown_backend", "no backend x")),
      disable: () => Promise.reject(new Error("secret")),
    }),
  )
  const reload = await admin.post("reload")
  expect([reload.status, reload.json]).toEqual([422, { error: { code: "config", message: line } }])
  expect((await admin.post("backends/x/enable")).status).toBe(404)
  const broken = await admin.post("backends/x/disable")
  expect([broken.status, broken.json.error?.code]).toEqual([500, "internal"])
  expect(JSON.stringify(broken.json)).not.toContain("secret")
})

test("GET changes nothing, and explain only reads", async () => {
  await using admin = await listen(echo())
  const url = `http://127.0.0.1:${admin.port}/api/v1/`
  const wrong = await fetch(`${url}reload`)
  expect([wrong.status, wrong.headers.get("allow")]).toEqual([405, "POST"])
  expect(await (await fetch(`${url}explain?cookie=ab`)).json()).toMatchObject({
    strategy: "for ab null null null null",
  })
  const question = "host=shop.example:80&path=%2Fa%3Fb%26c"
  expect(await (await fetch(`${url}explain?${question}`)).json()).toMatchObject({
    strategy: "for null shop.example:80 /a?b&c null null",
  })
  const odd = await fetch(`${url}explain?host=a%20b&path=c`)
  expect([odd.status, await odd.json()]).toMatchObject([
    400,
    { error: { code: "bad_value", message: expect.stringMatching(/^host: .*; path: /) } },
  ])
  expect((await fetch(`${url}explain`, { method: "POST" })).status).toBe(405)
})

describe("who may", () => {
  const request = (headers: Record<string, string>): Request =>
    new Request("http://127.0.0.1:9900/api/v1/reload", {
      method: "POST",
      headers: { host: "127.0.0.1:9900", ...headers },
    })
  const code = (headers: Record<string, string>, host: string, token: string | null = null) =>
    guard(request(headers), { address: { host, port: 9900 }, token })?.code ?? "ok"
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

  test("on a loopback address everyone, elsewhere only who shows the token", () => {
    expect(code({}, "127.0.0.1")).toBe("ok")
    expect(code({}, "::1")).toBe("ok")
    expect(code({}, "0.0.0.0")).toBe("no_token")
    expect(code({}, "0.0.0.0", TOKEN)).toBe("unauthorized")
    expect(code({}, "127.0.0.1", TOKEN)).toBe("unauthorized")
    expect(code({ authorization: "Bearer a" }, "0.0.0.0", TOKEN)).toBe("unauthorized")
    expect(code({ authorization: `Basic ${TOKEN}` }, "0.0.0.0", TOKEN)).toBe("unauthorized")
  })

  test("on a unix socket who may open it, and only with the token where there is one", () => {
    const address = { path: "/run/bunlb.sock" }
    const onSocket = (headers: Record<string, string>, token: string | null) =>
      guard(request(headers), { address, token })?.code ?? "ok"
    expect(onSocket({}, null)).toBe("ok")
    // Whatever stands before the socket may call itself what it likes.
    expect(onSocket({ host: "balancer.example.com" }, null)).toBe("ok")
    expect(onSocket({ origin: "http://evil.example" }, null)).toBe("bad_origin")
    expect(onSocket({}, TOKEN)).toBe("unauthorized")
    expect(onSocket(bearer(TOKEN), TOKEN)).toBe("ok")
  })

  test("the whole token and no more, the scheme written as one likes", () => {
    expect(code(bearer(TOKEN), "0.0.0.0", TOKEN)).toBe("ok")
    expect(code({ authorization: `bearer ${TOKEN}` }, "0.0.0.0", TOKEN)).toBe("ok")
    expect(code(bearer(`${TOKEN}0`), "0.0.0.0", TOKEN)).toBe("unauthorized")
    expect(code(bearer(TOKEN.replace("0", "1")), "0.0.0.0", TOKEN)).toBe("unauthorized")
    expect(code(bearer(TOKEN.slice(1)), "0.0.0.0", TOKEN)).toBe("unauthorized")
  })

  test("no page of another site: by Origin, by fetch metadata, by a name made to point here", () => {
    expect(code({ origin: "http://127.0.0.1:9900" }, "127.0.0.1")).toBe("ok")
    for (const origin of ["https://evil.example", "null", "http://127.0.0.1:9901"]) {
      expect(code({ origin }, "127.0.0.1")).toBe("bad_origin")
    }
    expect(code({ "sec-fetch-site": "cross-site" }, "127.0.0.1")).toBe("bad_origin")
    expect(code({ host: "evil.example:9900" }, "127.0.0.1")).toBe("bad_host")
    expect(code({ host: "localhost:9900" }, "127.0.0.1")).toBe("ok")
    expect(code({ host: "[::1]:9900" }, "::1")).toBe("ok")
    expect(code({ host: "lb.example:9900", ...bearer(TOKEN) }, "0.0.0.0", TOKEN)).toBe("ok")
  })
})

interface Methods {
  readonly get?: { readonly responses: object }
  readonly post?: { readonly responses: object }
}

test("the description names what there is: every path is served, by the methods it says", async () => {
  await using admin = await listen(echo())
  const url = `http://127.0.0.1:${admin.port}`
  const described = await (await fetch(`${url}/api/v1/openapi.json`)).json()
  const { openapi, paths } = described as { openapi: string; paths: Record<string, Methods> }
  expect(openapi).toBe("3.1.0")
  for (const [path, methods] of Object.entries(paths)) {
    const wrong = "get" in methods ? "POST" : "GET"
    const answer = await fetch(url + path.replace("{name}", "a:80"), { method: wrong })
    expect([path, answer.status]).toEqual([path, 405])
    expect(answer.headers.get("allow")).toBe("get" in methods ? "GET, HEAD" : "POST")
    const told = Object.keys((methods.get ?? methods.post)?.responses ?? {})
    expect(told).toContain("405")
    expect([path, told.includes("413")]).toEqual([path, "post" in methods])
    const mayBeBusy = /^\/health|^\/metrics$|events$|status$|live$/.test(path)
    expect([path, told.includes("503")]).toEqual([path, mayBeBusy])
    const right = await fetch(url + path.replace("{name}", "a:80"), {
      method: wrong === "GET" ? "POST" : "GET",
    })
    expect([path, told.includes(String(right.status))]).toEqual([path, true])
    await right.body?.cancel()
  }
  const served = ["drain", "enable", "disable", "weight", "remove"]
  for (const verb of served) expect(paths).toHaveProperty([`/api/v1/backends/{name}/${verb}`])
})

test("whether a CA file exists is told only to who has shown the token", async () => {
  const faults = ["/no cannot be read: no such file", "/etc/hostname holds no PEM certificate"]
  const told = async (token: string | null, fault: string): Promise<string | undefined> => {
    const add = () => Promise.reject(new BunlbError("BUNLB_E_CA_FILE", `CA file ${fault}`))
    await using admin = await listen(echo({ token, add }))
    const headers = token === null ? undefined : { authorization: `Bearer ${token}` }
    const { json } = await admin.post("backends", '{"backend":"https://h,ca=/no"}', headers)
    return json.error?.message
  }
  for (const fault of faults) {
    expect(await told(TOKEN, fault)).toBe(`CA file ${fault}`)
    expect(await told(null, fault)).toBe("the CA file cannot be used; the log says why")
  }
})
