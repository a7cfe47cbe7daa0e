/** A real browser through bunlb: a page with 50 assets, an upload, server-sent events and a WebSocket. */
import { afterAll, describe, expect } from "bun:test"
import { createHash } from "node:crypto"
import { TestBalancer } from "../support/balancer.ts"
import { find, testWith } from "./programs.ts"

const ASSETS = 50
const EVENTS = 5
const UPLOAD_BYTES = 2_000_000
const BROWSER_MS = 20_000

const script = (at: number): string => `<script src="/asset/${at}"></script>`
const page =
  "<!doctype html><title>loading</title><script>window.loaded = 0</script>" +
  Array.from({ length: ASSETS }, (_, at) => script(at)).join("\n") +
  "<script>document.title = `${loaded} assets`</script>"

/** A web server of another make than bunlb's own. */
function startSite() {
  return Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    routes: {
      "/": () => new Response(page, { headers: { "Content-Type": "text/html" } }),
      "/asset/:at": () => {
        const headers = { "Content-Type": "text/javascript", "Cache-Control": "no-store" }
        return new Response(`loaded++ // ${"x".repeat(3_000)}`, { headers })
      },
      "/upload": async (request) => {
        const body = new Uint8Array(await request.arrayBuffer())
        return new Response(createHash("sha256").update(body).digest("hex"))
      },
      "/events": () => new Response(events(), { headers: { "Content-Type": "text/event-stream" } }),
      "/socket": (request, server) =>
        server.upgrade(request) ? undefined : new Response("no upgrade", { status: 400 }),
    },
    websocket: { message: (socket, message) => void socket.send(message) },
  })
}

async function* events() {
  for (let at = 1; at <= EVENTS; at++) {
    yield `data: event ${at}\n\n`
    await Bun.sleep(10)
  }
}

afterAll(() => Bun.WebView.closeAll())

describe("Chromium", () => {
  const browserTest = testWith("chromium")

  browserTest(
    `loads a page with ${ASSETS} assets`,
    async () => {
      await using browser = await Browser.open()
      expect(browser.view.title).toBe(`${ASSETS} assets`)
    },
    BROWSER_MS,
  )

  browserTest(
    "uploads a file",
    async () => {
      await using browser = await Browser.open()
      const hash = await browser.ask(`async () => {
        const body = new Uint8Array(${UPLOAD_BYTES}).fill(66)
        return (await fetch("/upload", { method: "POST", body })).text()
      }`)
      const body = new Uint8Array(UPLOAD_BYTES).fill(66)
      expect(hash).toBe(createHash("sha256").update(body).digest("hex"))
    },
    BROWSER_MS,
  )

  browserTest(
    "hears each event as it is said",
    async () => {
      await using browser = await Browser.open()
      const heard = await browser.ask(`() => new Promise((resolve) => {
        const heard = []
        const source = new EventSource("/events")
        source.onmessage = ({ data }) => {
          heard.push(data)
          if (heard.length < ${EVENTS}) return
          source.close()
          resolve(heard)
        }
      })`)
      expect(heard).toEqual(Array.from({ length: EVENTS }, (_, at) => `event ${at + 1}`))
    },
    BROWSER_MS,
  )

  browserTest(
    "talks through a WebSocket",
    async () => {
      await using browser = await Browser.open()
      const echoes = await browser.ask(`() => new Promise((resolve, reject) => {
        const socket = new WebSocket(location.href.replace("http", "ws") + "socket")
        const echoes = []
        socket.onerror = () => reject(new Error("the socket failed"))
        socket.onopen = () => ["a", "b".repeat(100000), "c"].forEach((each) => socket.send(each))
        socket.onmessage = ({ data }) => {
          echoes.push(data.length)
          if (echoes.length === 3) socket.close(1000)
        }
        socket.onclose = ({ code, wasClean }) => resolve([...echoes, code, wasClean])
      })`)
      expect(echoes).toEqual([1, 100_000, 1, 1000, true])
      expect(browser.balancer.figure("bunlb_requests_total", 'code="101"')).toBe(1)
    },
    BROWSER_MS,
  )
})

class Browser implements AsyncDisposable {
  private constructor(
    readonly view: Bun.WebView,
    readonly balancer: TestBalancer,
    readonly site: ReturnType<typeof startSite>,
  ) {}

  static async open(): Promise<Browser> {
    const site = startSite()
    const balancer = await TestBalancer.start([site.port ?? 0])
    const path = find("chromium") ?? ""
    const argv = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    const view = new Bun.WebView({ backend: { type: "chrome", path, argv } })
    await view.navigate(`http://127.0.0.1:${balancer.port}/`)
    return new Browser(view, balancer, site)
  }

  /** Runs a function in the page. */
  ask(body: string): Promise<unknown> {
    return this.view.evaluate(`(${body})()`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.view.close()
    await this.site.stop(true)
  }
}
