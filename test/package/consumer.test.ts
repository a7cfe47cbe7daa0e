/**
 * The package as another project gets it, by `bun pm pack`: what it holds, that it runs, and that a strict program
 * compiles against its types: by `bun check`, and by each tsc that BUNLB_TEST_TYPESCRIPT names.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { settingRows } from "../../src/config/schema/schema.ts"
import { isLeftOut } from "../support/left-out.ts"
import { root } from "../support/source.ts"

const folder = mkdtempSync(join(tmpdir(), "bunlb-consumer-"))
afterAll(() => rmSync(folder, { recursive: true }))

/** Paths of `tsc`, separated by colons: .ci/run installs some. */
const compilers = (process.env["BUNLB_TEST_TYPESCRIPT"] ?? "").split(":").filter(Boolean)

/** Something that each setting takes, by its type in the declarations. */
function valueOf(type: string): string {
  if (type.startsWith('"')) return type.split(" | ")[0] ?? ""
  if (type.startsWith("readonly (string | BackendEntry)")) return '["127.0.0.1:1", entry]'
  if (type.startsWith("readonly")) return "[]"
  if (type.startsWith("boolean")) return "true"
  if (type.startsWith("number")) return "200"
  if (type.startsWith("Duration")) return '"5s"'
  if (type.startsWith("Readonly<Record<string, string | Listener"))
    return '{ web: ":80", x: listener }'
  if (type.startsWith("Readonly<Record<string, readonly"))
    return '{ api: ["127.0.0.1:1"], x: pool }'
  return type.startsWith("Size") ? '"16KiB"' : '"a"'
}

/** A program that says every setting. */
function program(): string {
  const groups = new Map<string, string[]>([["", []]])
  for (const { key, setting } of settingRows) {
    const [name = "", inner] = key.split(".")
    const line = `${inner ?? name}: ${valueOf(setting.type.typescript ?? "string")},`
    groups.set(inner === undefined ? "" : name, [
      ...(groups.get(inner === undefined ? "" : name) ?? []),
      line,
    ])
  }
  const body = [...groups].map(([name, lines]) =>
    name === "" ? lines.join("\n") : `${name}: {\n${lines.join("\n")}\n},`,
  )
  return `
import { startBackend, startBalancer } from "bunlb"
import type { BackendEntry, BalancerOptions, ListenerEntry, PoolEntry, TestBalancer } from "bunlb"

const entry: BackendEntry = { host: "127.0.0.1", port: 9001, weight: 2, backup: true }
const listener: ListenerEntry = { address: ":81", pool: "x", timeouts: { client_idle: "5s" } }
const pool: PoolEntry = { backends: [entry], strategy: "random", pool: { idle: 7 } }
export const pools: BalancerOptions = { pools: { default: pool } }
export const all: BalancerOptions = {
${body.join("\n")}
}
export async function use(): Promise<number> {
  using backend = await startBackend({ name: "one", delay: 5 })
  await using balancer: TestBalancer = await startBalancer({ backends: [backend.address] })
  await balancer.apply({ backends: [backend.address, entry], health: { interval: "200ms" } })
  return balancer.figure("bunlb_requests_total", 'code="200"') + (await balancer.drain(100))
}
`
}

/** Each line is wrong in one way, and all must be refused. */
const wrong = `
import { startBalancer } from "bunlb"
import type { BalancerOptions } from "bunlb"

export const faults: BalancerOptions[] = [
  {},
  { backends: [], prot: 80 },
  { backends: [], port: "a" },
  { backends: [], strategy: "best" },
  { backends: [], health: { pth: "/" } },
  { backends: [], health: { interval: 5 } },
  { backends: [], health: { interval: "5" } },
  { backends: [], limits: { head_bytes: "16KB" } },
  { backends: [{ host: "a", port: 80, wieght: 2 }] },
  { listeners: { web: ":80" } },
  { pools: { api: { strategy: "random" } } },
  { pools: { api: { backends: [], timeouts: { client_idle: "5s" } } } },
  { backends: [], listeners: { web: { pool: "api" } } },
]
export const text: string = startBalancer({ backends: [] })
`
const FAULTS = 14

function options(module: string, resolution: string): string {
  const strict = {
    ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true },
    ...{ noUnusedLocals: true, noUnusedParameters: true, noPropertyAccessFromIndexSignature: true },
    ...{ verbatimModuleSyntax: true, isolatedModules: true, skipLibCheck: false },
  }
  const target = { target: "es2022", lib: ["es2022"], types: [], noEmit: true }
  const compilerOptions = { ...strict, ...target, module, moduleResolution: resolution }
  return JSON.stringify({ compilerOptions, files: ["good.ts"] })
}

function run(command: readonly string[]): { code: number; said: string } {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command], { cwd: folder, stderr: "pipe" })
  return { code: exitCode, said: `${stdout.toString()}${stderr.toString()}` }
}

beforeAll(() => {
  const packed = Bun.spawnSync(
    [process.execPath, "pm", "pack", "--quiet", "--destination", folder],
    { cwd: root, stderr: "pipe" },
  )
  expect(packed.stderr.toString()).not.toContain("error")
  const archive = packed.stdout.toString().trim().split("\n").at(-1) ?? ""
  const home = join(folder, "node_modules", "bunlb")
  mkdirSync(home, { recursive: true })
  const untarred = Bun.spawnSync(["tar", "-xzf", archive, "--strip-components=1", "-C", home])
  expect(untarred.exitCode).toBe(0)
  for (const name of ["citty", "consola"]) {
    cpSync(join(root, "node_modules", name), join(folder, "node_modules", name), {
      recursive: true,
    })
  }
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }')
  writeFileSync(join(folder, "good.ts"), program())
  writeFileSync(join(folder, "wrong.ts"), wrong)
  writeFileSync(join(folder, "bundler.json"), options("esnext", "bundler"))
  writeFileSync(join(folder, "nodenext.json"), options("nodenext", "nodenext"))
})

test("the package that was packed runs", () => {
  const source = `
    import { startBackend, startBalancer } from "bunlb"
    using backend = await startBackend({ name: "packed" })
    await using balancer = await startBalancer({ backends: [backend.address] })
    console.log(await (await fetch(balancer.url)).text())`
  writeFileSync(join(folder, "run.ts"), source)
  expect(run([process.execPath, "run.ts"])).toEqual({ code: 0, said: "packed says hello\n\n" })
})

/** Fails when it does not compile; the faults that were found in `wrong.ts` else. */
function compile(compiler: readonly string[], module: string, resolution: string): string[] {
  const good = run([...compiler, "-p", join(folder, `${resolution}.json`)])
  expect([good.code, good.said]).toEqual([0, expect.not.stringContaining("error TS")])
  const config = JSON.parse(options(module, resolution)) as object
  const path = join(folder, `wrong-${resolution}.json`)
  writeFileSync(path, JSON.stringify({ ...config, files: ["wrong.ts"] }))
  const { code, said } = run([...compiler, "-p", path])
  expect(code).not.toBe(0)
  return said.split("\n").filter((line) => line.startsWith("wrong.ts("))
}

const none = isLeftOut("tsc", compilers.length > 0, "BUNLB_TEST_TYPESCRIPT names none")

describe.each([
  ["bundler", "esnext"],
  ["nodenext", "nodenext"],
])("module resolution %s", (resolution, module) => {
  test("a strict program compiles, and faults are found: bun check", () => {
    const check = [process.execPath, "check", "--no-pretty", "--all"]
    expect(compile(check, module, resolution)).toBeArrayOfSize(FAULTS)
  })

  test.skipIf(none).each(compilers)(
    "a strict program compiles, and faults are found: %s",
    (compiler) => {
      const tsc = [process.execPath, compiler, "--pretty", "false"]
      expect(compile(tsc, module, resolution)).toBeArrayOfSize(FAULTS)
    },
    60_000,
  )
})
