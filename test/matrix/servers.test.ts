/** Real servers behind bunlb: what they say arrives as they said it, what is sent to them arrives whole. */
import { describe, expect } from "bun:test"
import { createHash } from "node:crypto"
import { TestBalancer } from "../support/balancer.ts"
import { RawClient } from "../support/raw-client.ts"
import { Server, testWith } from "./programs.ts"
import { large, type RealServer, servers, small } from "./servers.ts"

const UPLOAD_BYTES = 3_000_000
const upload = large.subarray(0, UPLOAD_BYTES)

for (const server of servers) {
  const test = testWith(server.program)
  describe(server.name, () => {
    test("answers GET, HEAD and 404 on one kept connection, and is kept itself", async () => {
      await using site = await Site.start(server)
      const { client } = site
      const got = await client.exchange(get("/small"))
      expect([got.status, got.body.toString()]).toEqual([200, small])
      const head = await client.exchange(get("/small", "HEAD"), { head: true })
      expect(head.status).toBe(200)
      expect(head.field("date")).not.toBeNull()
      expect((await client.exchange(get("/nothing"))).status).toBe(404)
      for (let more = 0; more < 5; more++) {
        expect((await client.exchange(get("/small"))).body.toString()).toBe(small)
      }
      const { balancer } = site
      expect(balancer.figure("bunlb_client_connections")).toBe(1)
      expect(balancer.figure("bunlb_pool_reuses_total")).toBe(server.reuses)
    })

    test("sends 20 MB, byte for byte", async () => {
      await using site = await Site.start(server)
      const { status, body } = await site.client.exchange(get("/large"))
      expect([status, body.length, sha256(body)]).toEqual([200, large.length, sha256(large)])
    })

    if (server.uploads === "none") return
    test("takes an upload of a known length", async () => {
      await using site = await Site.start(server)
      const head = `PUT /uploads/known HTTP/1.1\r\nHost: site\r\nContent-Length: ${upload.length}\r\n\r\n`
      expect(await site.stored("/uploads/known", [Buffer.from(head), upload])).toBe(sha256(upload))
    })

    test("takes an upload in chunks", async () => {
      await using site = await Site.start(server)
      const head =
        "PUT /uploads/chunks HTTP/1.1\r\nHost: site\r\nTransfer-Encoding: chunked\r\n\r\n"
      const pieces = [Buffer.from(head)]
      for (let at = 0, size = 1; at < upload.length; at += size, size = (size * 7) % 65_521) {
        const piece = upload.subarray(at, at + size)
        pieces.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n"))
      }
      pieces.push(Buffer.from("0\r\n\r\n"))
      expect(await site.stored("/uploads/chunks", pieces)).toBe(sha256(upload))
    })

    test("takes small uploads one after the other, and is kept", async () => {
      await using site = await Site.start(server)
      for (let count = 0; count < 5; count++) {
        const page = `/uploads/small-${count}`
        const body = `number ${count}`
        const head = `PUT ${page} HTTP/1.1\r\nHost: site\r\nContent-Length: ${body.length}\r\n\r\n`
        expect(await site.stored(page, [Buffer.from(head + body)])).toBe(sha256(Buffer.from(body)))
      }
    })
  })
}

class Site implements AsyncDisposable {
  private constructor(
    readonly server: RealServer,
    readonly process: Server,
    readonly balancer: TestBalancer,
    readonly client: RawClient,
  ) {}

  static async start(server: RealServer): Promise<Site> {
    const process = await Server.start(server.command)
    const balancer = await TestBalancer.start([process.port])
    return new Site(server, process, balancer, await RawClient.connect(balancer.port))
  }

  /** Sends an upload and gives the hash of what the server has of it. */
  async stored(page: string, request: readonly Buffer[]): Promise<string> {
    const answer = await this.client.exchange(Buffer.concat(request))
    expect([200, 201, 204]).toContain(answer.status)
    if (this.server.uploads === "echo") return sha256(answer.body)
    const { status, body } = await this.client.exchange(get(page))
    expect(status).toBe(200)
    return sha256(body)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.reset()
    await this.process[Symbol.asyncDispose]()
  }
}

function get(path: string, method: string = "GET"): string {
  return `${method} ${path} HTTP/1.1\r\nHost: site\r\n\r\n`
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex")
}
