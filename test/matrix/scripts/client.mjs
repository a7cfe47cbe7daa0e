// What a JavaScript client sees of bunlb, as JSON: fetch, undici, or node:http with a keep-alive agent.
import { createHash } from "node:crypto"
import { Agent, request } from "node:http"
import { createRequire } from "node:module"

const [library, port] = process.argv.slice(2)
const site = `http://127.0.0.1:${port}`
const payload = Buffer.alloc(1_024_000, Buffer.from(Array.from({ length: 256 }, (_, at) => at)))

async function* pieces() {
  for (let at = 0; at < payload.length; at += 5000) yield payload.subarray(at, at + 5000)
}

const sha = (data) => createHash("sha256").update(data).digest("hex")

function withFetch(fetch) {
  return async (method, path, body) => {
    const options = body === undefined ? {} : { body, duplex: "half" }
    const response = await fetch(site + path, { method, ...options })
    const { status, headers } = response
    return {
      status,
      length: headers.get("content-length"),
      body: Buffer.from(await response.arrayBuffer()),
    }
  }
}

const agent = new Agent({ keepAlive: true, maxSockets: 1 })
const sockets = new Set()

function withHttp(method, path, body) {
  return new Promise((resolve, reject) => {
    const sent = request(site + path, { method, agent }, (response) => {
      sockets.add(response.socket)
      const parts = []
      response.on("data", (part) => parts.push(part))
      response.on("error", reject)
      response.on("end", () => {
        const { statusCode: status, headers } = response
        resolve({ status, length: headers["content-length"], body: Buffer.concat(parts) })
      })
    })
    sent.on("error", reject)
    if (body === undefined || Buffer.isBuffer(body)) return sent.end(body)
    ;(async () => {
      for await (const piece of body) sent.write(piece)
      sent.end()
    })()
  })
}

// By require, which also finds what a system's package has installed for all (Debian's node-undici).
const fetchOf = (name) => createRequire(import.meta.url)(name).fetch

const ask =
  library === "http"
    ? withHttp
    : withFetch(library === "undici" ? fetchOf("undici") : globalThis.fetch)

const get = await ask("GET", "/")
const head = await ask("HEAD", "/bytes/5000")
const missing = await ask("GET", "/nothing")
const posted = await ask("POST", "/echo", payload)
const chunked = await ask("POST", "/echo", pieces())
const large = await ask("GET", "/bytes/20000000")
agent.destroy()
console.log(
  JSON.stringify({
    payload: sha(payload),
    get: [get.status, get.body.toString()],
    head: [head.status, head.length, head.body.length],
    missing: missing.status,
    posted: JSON.parse(posted.body).bodySha256,
    chunked: JSON.parse(chunked.body).bodySha256,
    large: sha(large.body),
    ...(library === "http" ? { kept: sockets.size === 1 } : {}),
  }),
)
