/**
 * docs/mistakes.md shows what bunlb prints when something is typed or written wrong: every mistake is made here, and
 * the page is what came of it. BUNLB_UPDATE_DOCS=1 writes it anew. Takes about four seconds, nearly all of it starts.
 */
import { afterAll, beforeAll, describe, expect } from "bun:test"
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { onLinux } from "../support/left-out.ts"
import { spawnBunlb, type BunlbProcess } from "../support/processes.ts"
import { refusedPort } from "../support/refused-port.ts"
import { root } from "../support/source.ts"
import { still, type Mistake, type MistakeGroup } from "./mistake-list.ts"

const folder = mkdtempSync(join(tmpdir(), "bunlb-mistakes-"))
afterAll(() => rmSync(folder, { recursive: true }))

const path = join(root, "docs/mistakes.md")
const TOKEN = "the-token-of-this-test"
const AT_ONCE = 3

interface Made {
  readonly code: number | string
  readonly lines: readonly string[]
}

/** Ports that are free or taken here, and what the page calls them. */
const ports = new Map<number, number>()

function withPorts(text: string, way: "real" | "shown"): string {
  let changed = text
  for (const [real, shown] of ports) {
    const [from, to] = way === "real" ? [shown, real] : [real, shown]
    changed = changed.replaceAll(new RegExp(`\\b${from}\\b`, "g"), String(to))
  }
  return changed
}

let made = 0

async function make({ words, file, env = {} }: Mistake): Promise<Made> {
  const cwd = join(folder, String(made++))
  mkdirSync(cwd)
  if (file !== undefined) await Bun.write(join(cwd, file[0]), file[1])
  const real = words.map((word) => withPorts(word, "real"))
  await using bunlb = spawnBunlb(real, {
    cwd,
    env: { BUNLB_ADMIN: undefined, BUNLB_ADMIN_TOKEN: undefined, ...env },
  })
  const code = await bunlb.exited()
  // As many as this machine has CPUs.
  const shown = (line: string): string =>
    withPorts(line, "shown")
      .replace(/\d+ workers?/, "4 workers")
      .replaceAll(`${cwd}/`, "/etc/bunlb/")
  return { code, lines: bunlb.lines.map(shown) }
}

function transcript({ title, words, file, env = {} }: Mistake, { code, lines }: Made): string {
  const shown = words.map((word) => (/[\s,$]/.test(word) && / /.test(word) ? `'${word}'` : word))
  const set = Object.entries(env).filter(([name]) => name !== "BUNLB_ADMIN")
  const command = [...set.map(([name, value]) => `${name}=${value}`), "bunlb", ...shown].join(" ")
  const cat = file === undefined ? [] : [`$ cat ${file[0]}`, ...file[1].trimEnd().split("\n")]
  return [
    ...[`**${title}.** Exit code ${code}.`, "", "```text"],
    ...[...cat, `$ ${command}`, ...lines, "```", ""],
  ].join("\n")
}

/** A few at a time, in their order. */
async function makeAll(mistakes: readonly Mistake[]): Promise<Made[]> {
  const results: Made[] = []
  for (let at = 0; at < mistakes.length; at += AT_ONCE) {
    results.push(...(await Promise.all(mistakes.slice(at, at + AT_ONCE).map(make))))
  }
  return results
}

async function section(group: MistakeGroup): Promise<string> {
  const results = await makeAll(group.mistakes)
  for (const [index, result] of results.entries()) {
    judge(group.mistakes[index]?.title ?? "", result)
  }
  const blocks = group.mistakes.map((mistake, index) =>
    transcript(mistake, results[index] ?? { code: "?", lines: [] }),
  )
  return [`## ${group.title}`, "", ...blocks].join("\n")
}

/** What holds for every one of them, whatever it says. */
function judge(title: string, { code, lines }: Made): void {
  expect([0, 1, 2], title).toContain(code as number)
  expect(lines.length, title).toBeGreaterThan(0)
  for (const line of lines) {
    expect(line, title).toMatch(code === 0 ? /^(warning|ok): / : /^bunlb: /)
    expect(line, title).not.toMatch(/internal error|undefined|\[object|\bat .*:\d+:\d+\)?$/)
  }
}

/** A bunlb that serves, with backends that are wrong in four ways, and one that is right. */
class Scene implements AsyncDisposable {
  private constructor(
    readonly bunlb: BunlbProcess,
    readonly admin: string,
    readonly servers: readonly Bun.Server<undefined>[],
    readonly tls: BunlbProcess,
  ) {}

  static async open(): Promise<Scene> {
    const serve = (status: number) =>
      Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("", { status }) })
    const servers = [serve(200), serve(404), serve(200)]
    const [good, lost, plain] = servers.map((server) => server.port ?? 0)
    const tls = spawnBunlb(["backend", "-p", "0", "--tls"])
    const [, sealed] = await tls.line(/:(\d+)$/)
    const refused = refusedPort()
    const backends = [good, refused, lost].map((port) => `127.0.0.1:${port}`)
    const secure = [plain, sealed].map((port) => `https://127.0.0.1:${port}`)
    const flags = [...backends, ...secure].flatMap((each) => ["-b", each])
    const place = ["-m", "sp", "-h", "127.0.0.1", "-p", "0", "--admin", "127.0.0.1:0"]
    const health = ["--health-interval", "100ms", "--admin-token", TOKEN]
    const bunlb = spawnBunlb([...place, ...health, ...flags])
    const [, port, admin] = await bunlb.line(/:(\d+) -> .* admin http:\S+:(\d+)$/)
    const shown = [good, refused, lost, plain, sealed].map((real, i) => [real, 9001 + i] as const)
    for (const [real, name] of [...shown, [port, 8080], [admin, 9900]] as const) {
      ports.set(Number(real), name)
    }
    return new Scene(bunlb, `127.0.0.1:${admin}`, servers, tls)
  }

  async unhealthy(): Promise<string[]> {
    const pattern = / (backend \S+ is unhealthy: .*)/
    for (let told = 0; told < 4; told++) await this.bunlb.line(pattern)
    const lines = this.bunlb.lines.flatMap((line) => pattern.exec(line)?.[1] ?? [])
    return lines.map((line) => withPorts(line, "shown")).toSorted()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.bunlb[Symbol.asyncDispose]()
    await this.tls[Symbol.asyncDispose]()
    for (const server of this.servers) await server.stop(true)
  }
}

const live = (admin: string): MistakeGroup => {
  const env = { BUNLB_ADMIN: admin }
  const told = { ...env, BUNLB_ADMIN_TOKEN: TOKEN }
  return {
    title: "While it runs",
    mistakes: [
      { title: "No bunlb there", words: ["status", "--admin", "127.0.0.1:9"] },
      {
        title: "A port that is taken",
        words: ["-h", "127.0.0.1", "-p", "8080", "-b", "10.0.0.1:8080", "--admin", "off"],
      },
      {
        title: "A second bunlb with the same admin address",
        words: ["-p", "0", "-b", "10.0.0.1:8080", "--admin", "127.0.0.1:9900"],
      },
      {
        title: "The port of clients taken for the admin address",
        words: ["status", "--admin", "127.0.0.1:8080"],
      },
      { title: "A change without the token", words: ["drain", "127.0.0.1:9001"], env },
      {
        title: "A change with another token",
        words: ["drain", "127.0.0.1:9001", "--admin-token", "another-token-than-that"],
        env,
      },
      // The token of the test is no part of what is shown.
      { title: "A backend that is not there", words: ["drain", "127.0.0.1:9009"], env: told },
      { title: "A word left out", words: ["set", "127.0.0.1:9001", "3"] },
    ],
  }
}

const opening = `# Mistakes, and what bunlb says

The likeliest ones, each really made: this page is written by \`BUNLB_UPDATE_DOCS=1 bun test mistakes\`, and
\`bun test\` fails when bunlb says something else. Exit code 2 is for what must be typed or written otherwise, 1 for what must change in the
world. \`bunlb check\` with the same flags finds all of them that can be found without a start.
`

const aboutTheLog = `## In the log

Backends that cannot work do not keep bunlb from starting: they may come. The log says after three probes what
is wrong with each; \`bunlb status\` shows the same under REASON.

`

const readingIt = `
In this order: nobody listens there; the path of the probe does not exist (\`--health-path\`); it was given with
\`https://\` and speaks plain HTTP; its certificate is signed by nobody known (\`,ca=FILE\`).
`

const inTheLog = (lines: readonly string[]): string =>
  [`${aboutTheLog}\`\`\`text`, ...lines, `\`\`\`\n${readingIt}`].join("\n")

describe("docs/mistakes.md", () => {
  let scene: Scene
  beforeAll(async () => {
    scene = await Scene.open()
  })
  afterAll(() => scene[Symbol.asyncDispose]())

  onLinux("docs/mistakes.md", "it was written there")(
    "is what bunlb says",
    async () => {
      const sections: string[] = []
      for (const group of still) sections.push(await section(group))
      const running = await section(live(scene.admin))
      const log = inTheLog(await scene.unhealthy())
      const page = [
        opening,
        ...sections,
        running.replaceAll(`BUNLB_ADMIN_TOKEN=${TOKEN} `, ""),
        log,
      ]
      const text = `${page.join("\n").trimEnd()}\n`
      if (process.env.BUNLB_UPDATE_DOCS === "1") await Bun.write(path, text)
      expect(await Bun.file(path).text(), "write it: BUNLB_UPDATE_DOCS=1 bun test mistakes").toBe(
        text,
      )
    },
    30_000,
  )
})
