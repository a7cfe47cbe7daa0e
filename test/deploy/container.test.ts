/** The Dockerfile and what belongs to it, held against the program. image.test.ts builds and runs the image. */
import { expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import manifest from "../../package.json" with { type: "json" }
import { readVariables } from "../../src/config/environment-values.ts"
import { defaultSettings } from "../../src/config/resolve.ts"
import { find, run, testWhere, testWith } from "../matrix/programs.ts"
import { faultsOf } from "../support/json-schema.ts"
import { spawnBunlb } from "../support/processes.ts"
import { answering, ScriptedBackend } from "../support/scripted-backend.ts"
import { root } from "../support/source.ts"
import { composeSchema } from "./compose-schema.ts"

const read = (path: string): string => readFileSync(join(root, path), "utf8")
const dockerfile = read("Dockerfile")
const composeTest =
  find("docker") === null
    ? testWith("docker")
    : testWhere(["docker", "compose", "version"], "docker compose is not installed")

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
  readonly stop_grace_period?: string
}

const composePath = "scripts/deploy/compose.yaml"
const compose = Bun.YAML.parse(read(composePath)) as {
  readonly services: Readonly<Record<string, Service>>
}
const { environment = {}, depends_on: backends = [], ...balancer } = compose.services["bunlb"] ?? {}

test("the compose file is one", () => {
  expect(faultsOf(composeSchema, compose)).toEqual([])
  const mistaken = { services: { bunlb: { enviroment: {}, stop_grace_period: "45" } } }
  expect(faultsOf(composeSchema, mistaken)).toEqual([
    "$.services.bunlb.stop_grace_period: is not ^(\\d+(us|ms|s|m|h))+$",
    "$.services.bunlb: has the unknown key enviroment",
  ])
})

composeTest("docker compose accepts the compose file", async () => {
  await run(["docker", "compose", "--file", join(root, composePath), "config", "--quiet"])
})

test("the compose file speaks of settings that exist, and of backends that it starts", async () => {
  const faults: string[] = []
  const said = readVariables(environment, new Map(), faults)
  expect(faults).toEqual([])
  expect(said.map(([, name]) => name).toSorted()).toEqual(Object.keys(environment).toSorted())
  expect(environment["BUNLB_BACKENDS"]).toBe(backends.map((name) => `${name}:8080`).join(" "))
  const { timeouts } = defaultSettings({ cpus: 1, platform: "linux" })
  expect(Number.parseInt(balancer.stop_grace_period ?? "", 10) * 1_000).toBeGreaterThan(
    timeouts.drain,
  )
  await using check = spawnBunlb(["check"], { env: environment })
  expect([await check.exited(), check.lines[0]]).toEqual([0, expect.stringMatching(/^ok: 2 back/)])
})

test.each(backends)("the compose file's backend %s starts as it is told there", async (name) => {
  const { command = [] } = compose.services[name] ?? {}
  expect(command).toEqual(["backend", "-h", "0.0.0.0", "-p", "8080", "--name", name])
  const places: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "8080": "0" }
  const elsewhere = command.map((word) => places[word] ?? word)
  await using backend = spawnBunlb(elsewhere)
  await backend.line(new RegExp(`${name}.*:\\d+`))
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
