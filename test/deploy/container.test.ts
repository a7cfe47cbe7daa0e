/**
 * The Dockerfile and what belongs to it, read and held against the program. scripts/try-container.sh builds and runs
 * the image, which takes longer than a test may.
 */
import { expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import manifest from "../../package.json" with { type: "json" }
import { readVariables } from "../../src/config/environment-values.ts"
import { spawnBunlb } from "../support/processes.ts"
import { answering, ScriptedBackend } from "../support/scripted-backend.ts"
import { root } from "../support/source.ts"

const read = (path: string): string => readFileSync(join(root, path), "utf8")
const dockerfile = read("Dockerfile")

test("the image has the version, the Bun and the manners of this package", () => {
  expect(dockerfile).toContain(`image.version="${manifest.version}"`)
  for (const label of ["title", "description", "revision", "created", "source", "licenses"]) {
    expect(dockerfile).toContain(`org.opencontainers.image.${label}=`)
  }
  expect(dockerfile).toContain(`oven/bun:${manifest.engines.bun}-`)
  expect(dockerfile).toMatch(/^USER 65532:65532$/m)
  expect(dockerfile).toMatch(/^STOPSIGNAL SIGTERM$/m)
  expect(dockerfile).toMatch(/^HEALTHCHECK .* CMD \["\/usr\/local\/bin\/bunlb", "health"\]$/m)
  // No shell: the last stage runs nothing.
  const last = dockerfile.slice(dockerfile.lastIndexOf("\nFROM "))
  expect(last).not.toMatch(/^(RUN|SHELL|CMD|ENTRYPOINT [^[])/m)
})

test("what the Dockerfile copies is not ignored, and nothing else is sent", () => {
  const wanted = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names = ""]) =>
    names.split(" "),
  )
  const lines = read(".dockerignore").split("\n")
  const kept = lines.filter((line) => line.startsWith("!")).map((line) => line.slice(1))
  expect(lines).toContain("*")
  expect(kept.toSorted()).toEqual(wanted.toSorted())
})

interface Service {
  readonly environment?: Readonly<Record<string, string>>
  readonly command?: readonly string[]
  readonly depends_on?: readonly string[]
}

test("the compose file speaks of settings that exist, and of backends that it starts", async () => {
  const { services } = Bun.YAML.parse(read("scripts/deploy/compose.yaml")) as {
    readonly services: Readonly<Record<string, Service>>
  }
  const { environment = {}, depends_on = [] } = services["bunlb"] ?? {}
  const faults: string[] = []
  const said = readVariables(environment, new Map(), faults)
  expect(faults).toEqual([])
  expect(said.map(([, name]) => name).toSorted()).toEqual(Object.keys(environment).toSorted())
  const backends = (environment["BUNLB_BACKENDS"] ?? "").split(" ")
  expect(backends).toEqual(depends_on.map((name) => `${name}:8080`))
  for (const name of depends_on) {
    const [command = "", ...flags] = services[name]?.command ?? []
    expect([command, ...flags.slice(-2)]).toEqual(["backend", "--name", name])
  }
})

test("health asks where BUNLB_ADMIN says, as bunlb with the same environment listens there", async () => {
  using backend = await ScriptedBackend.start(answering(() => "hello"))
  const settings = ["-p", "0", "-h", "127.0.0.1", "-m", "sp", "--admin", "127.0.0.1:0"]
  await using bunlb = spawnBunlb([...settings, "-b", `127.0.0.1:${backend.port}`])
  const [, port = ""] = await bunlb.line(/admin http:\/\/127\.0\.0\.1:(\d+)/)
  const env = { BUNLB_ADMIN: `127.0.0.1:${port}` }
  await using health = spawnBunlb(["health"], { env })
  expect([await health.exited(), ...health.lines]).toEqual([0, "healthy"])
  await using off = spawnBunlb(["health"], { env: { BUNLB_ADMIN: "off" } })
  expect(await off.exited()).toBe(2)
})
