/**
 * The image of the Dockerfile, built by Debian's buildah and run as an engine would, without an engine, a registry or
 * a network. BUNLB_TEST_IMAGE=debian takes Debian as its base, as the Dockerfile does, instead of one without a shell;
 * that takes a minute, and wherever the variable is set an obstacle is a failure.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import manifest from "../../package.json" with { type: "json" }
import { certificates } from "../support/certificates.ts"
import { isLeftOut } from "../support/left-out.ts"
import { refusedPort } from "../support/refused-port.ts"
import { answer, answering, ScriptedBackend } from "../support/scripted-backend.ts"
import { root } from "../support/source.ts"
import { PATIENCE_MS, until } from "../support/until.ts"
import { bases } from "./image/bases.ts"
import { Container } from "./image/container.ts"
import type { Image } from "./image/container.ts"
import { obstacleToImages } from "./image/obstacle.ts"
import { ImageStore } from "./image/store.ts"

const BUILD_MS = 180_000
const COMMIT = "c0ffee0000000000000000000000000000000000"
const DATE = "2026-01-02T03:04:05Z"
const labels = { created: DATE, source: "https://bunlb.example/source" }

const wanted = process.env["BUNLB_TEST_IMAGE"] ?? ""
const base = wanted === "debian" ? bases.debian : bases.bare
const obstacle = await obstacleToImages()
if (wanted !== "" && obstacle !== null) throw new Error(`the image cannot be tried: ${obstacle}`)
const leftOut = isLeftOut("the image", obstacle === null, obstacle ?? "")

const dockerfile = readFileSync(join(root, "Dockerfile"), "utf8")
const defaultOf = (name: string): string =>
  new RegExp(`^ARG ${name}=(\\S+)$`, "m").exec(dockerfile)?.[1] ?? ""

describe.skipIf(leftOut)(`the image on a ${base.name} base`, () => {
  let store: ImageStore
  let image: Image

  beforeAll(async () => {
    store = new ImageStore()
    const args = await base.make(store, { BUN: defaultOf("BUN"), BASE: defaultOf("BASE") })
    const facts = {
      COMMIT,
      SOURCE_DATE_EPOCH: `${Date.parse(DATE) / 1_000}`,
      CREATED: labels.created,
      SOURCE: labels.source,
    }
    const told = Object.entries(facts).flatMap(([name, value]) => [
      "--build-arg",
      `${name}=${value}`,
    ])
    await store.make("bunlb", root, [...args, ...told])
    image = { root: await store.unpack("bunlb"), config: await store.config("bunlb") }
  }, BUILD_MS)

  afterAll(() => store[Symbol.dispose]())

  test("says what it is and how it wants to be run", () => {
    const { config } = image
    expect(config).toMatchObject({
      User: "65532:65532",
      Entrypoint: ["/usr/local/bin/bunlb"],
      ExposedPorts: { "8080/tcp": {} },
      StopSignal: "SIGTERM",
      WorkingDir: "/",
      Healthcheck: { Test: ["CMD", "/usr/local/bin/bunlb", "health"], Retries: 2 },
    })
    const told = Object.entries(config.Labels).filter(([name]) => name.includes("opencontainers"))
    expect(Object.fromEntries(told)).toEqual(
      Object.fromEntries(
        Object.entries({
          title: manifest.name,
          description: "An HTTP load balancer in one executable",
          version: manifest.version,
          licenses: manifest.license,
          revision: COMMIT,
          ...labels,
        }).map(([name, value]) => [`org.opencontainers.image.${name}`, value]),
      ),
    )
    expect(existsSync(join(image.root, "bin/sh"))).toBe(base.name === "debian")
    const bunlb = Bun.spawnSync([join(image.root, "usr/local/bin/bunlb"), "--version", "--verbose"])
    for (const fact of [manifest.version, COMMIT, DATE]) {
      expect(bunlb.stdout.toString()).toContain(fact)
    }
  })

  test("balances as PID 1, as nobody, without rights, with a root that is read-only", async () => {
    using one = await ScriptedBackend.start(answering(() => "one"))
    using two = await ScriptedBackend.start(answering(() => "two"))
    await using bunlb = await start([one, two])
    const said = await Promise.all(Array.from({ length: 4 }, () => bunlb.get()))
    expect(new Set(said)).toEqual(new Set(["one", "two"]))
    const { container } = bunlb
    expect(container.status("NSpid")).toEndWith("\t1")
    expect(container.status("Uid")).toBe("65532\t65532\t65532\t65532")
    expect(container.status("Groups")).toBe("")
    expect(container.status("CapEff")).toMatch(/^0+$/)
    expect(container.status("NoNewPrivs")).toBe("1")
    expect(() => writeFileSync(container.seen("/canary"), "")).toThrow("EROFS")
    expect(container.process.stderr).toEqual([])
    expect(JSON.parse(container.process.stdout[0] ?? "")).toMatchObject({ level: "info" })
  })

  test("replaces a worker that is killed, and leaves no zombie", async () => {
    using backend = await ScriptedBackend.start(answering(() => "hello"))
    await using bunlb = await start([backend])
    const before = bunlb.container.workers()
    const [victim = 0] = before
    process.kill(victim, "SIGKILL")
    const replaced = (): boolean => {
      const now = bunlb.container.workers()
      return now.length === before.length && !now.includes(victim)
    }
    await until(replaced, PATIENCE_MS, "another worker in its place")
    expect(await bunlb.get()).toBe("hello")
  })

  test("is well with one backend, unwell without, and well again", async () => {
    using one = await ScriptedBackend.start(answering(() => "one"))
    using two = await ScriptedBackend.start(answering(() => "two"))
    await using bunlb = await start([one, two])
    await bunlb.container.settles(true)
    one.stop()
    await bunlb.container.settles(true)
    two.stop()
    await bunlb.container.settles(false)
    using back = await ScriptedBackend.start(
      answering(() => "back"),
      { port: one.port },
    )
    await bunlb.container.settles(true)
    expect(back.accepted).toBeGreaterThan(0)
  })

  test("lets a request end when it is told to stop, then ends well", async () => {
    const release = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<void>()
    using backend = await ScriptedBackend.start(async (connection) => {
      for (;;) {
        const { target } = await connection.receiveRequest()
        if (target === "/slow") {
          asked.resolve()
          await release.promise
        }
        void connection.send(answer(200, `${target} is done`))
      }
    })
    await using bunlb = await start([backend])
    const slow = bunlb.get("/slow")
    await asked.promise
    process.kill(bunlb.container.pid, image.config.StopSignal)
    await bunlb.container.process.line(/draining/)
    release.resolve()
    expect(await slow).toBe("/slow is done")
    expect(await bunlb.container.process.exited()).toBe(0)
  })

  test("takes a mounted file, and takes it again when told", async () => {
    using one = await ScriptedBackend.start(answering(() => "one"))
    using two = await ScriptedBackend.start(answering(() => "two"))
    const folder = mkdtempSync(join(store.folder, "mounted-"))
    const file = join(folder, "bunlb.yaml")
    const write = ({ port }: ScriptedBackend): void =>
      writeFileSync(file, `host: 127.0.0.1\nport: 0\nadmin: "off"\nbackends: [127.0.0.1:${port}]\n`)
    write(one)
    const place = "/etc/bunlb/bunlb.yaml"
    await using container = await Container.start(image, {
      args: ["-c", place],
      files: { [place]: file },
    })
    expect(await get(container, "/")).toBe("one")
    expect(() => writeFileSync(container.seen(place), "")).toThrow("EROFS")
    write(two)
    process.kill(container.pid, "SIGHUP")
    await until(async () => (await get(container, "/")) === "two", PATIENCE_MS, "the new backend")
  })

  test("verifies backends against the CAs of its base", async () => {
    const { good, unknownCa } = certificates()
    using known = await ScriptedBackend.start(
      answering(() => "known"),
      { tls: good },
    )
    using stranger = await ScriptedBackend.start(
      answering(() => "stranger"),
      { tls: unknownCa },
    )
    await using bunlb = await start([known, stranger], "https://")
    const said = await Promise.all(Array.from({ length: 6 }, () => bunlb.get()))
    expect(said).toEqual(Array.from({ length: 6 }, () => "known"))
    expect(stranger.requests).toEqual([])
  })

  /** The image with two workers, everything said in the environment. */
  async function start(backends: readonly ScriptedBackend[], scheme = "") {
    const container = await Container.start(image, {
      env: {
        BUNLB_BACKENDS: backends.map(({ port }) => `${scheme}127.0.0.1:${port}`).join(" "),
        BUNLB_HOST: "127.0.0.1",
        BUNLB_PORT: "0",
        BUNLB_WORKERS: "2",
        BUNLB_ADMIN: `127.0.0.1:${refusedPort()}`,
        BUNLB_HEALTH_INTERVAL: "100ms",
      },
    })
    const dispose = (): Promise<void> => container[Symbol.asyncDispose]()
    return { container, get: (path = "/") => get(container, path), [Symbol.asyncDispose]: dispose }
  }
})

async function get(container: Container, path: string): Promise<string> {
  const [, port = ""] = /http:\/\/[^ ]+:(\d+) ->/.exec(container.process.lines.join("\n")) ?? []
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { keepalive: false })
  return response.text()
}
