/** The workflows do what everybody does by hand: through the same scripts, which must exist. */
import { expect, test } from "bun:test"
import { accessSync, constants, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import manifest from "../../package.json" with { type: "json" }
import { root } from "../support/source.ts"
import { withPrograms } from "../support/left-out.ts"

interface Job {
  readonly "runs-on": string
  readonly "timeout-minutes": number
  readonly steps: readonly { readonly run?: string; readonly uses?: string }[]
}

/** The keys that GitHub knows for workflows as ours are: with another one a workflow does not start. */
const keys = {
  workflow: ["name", "on", "permissions", "concurrency", "env", "defaults", "jobs"],
  job: [
    ...["name", "needs", "if", "runs-on", "permissions", "env", "defaults", "timeout-minutes"],
    ...["strategy", "continue-on-error", "container", "services", "concurrency", "steps"],
  ],
  step: [
    ...["id", "if", "name", "uses", "run", "working-directory", "shell", "with", "env"],
    ...["continue-on-error", "timeout-minutes"],
  ],
}

/** What may be asked of in `${{ }}`. */
const contexts = /^(github|env|vars|job|jobs|steps|runner|secrets|strategy|matrix|needs|inputs)\./

function unknown(what: object, known: readonly string[]): string[] {
  return Object.keys(what).filter((key) => !known.includes(key))
}

const folder = join(root, ".github", "workflows")

test.each(readdirSync(folder))("%s runs what is there, within a limit", (name) => {
  const text = readFileSync(join(folder, name), "utf8")
  const { jobs } = Bun.YAML.parse(text) as { readonly jobs: Readonly<Record<string, Job>> }
  const steps = Object.values(jobs).flatMap((job) => {
    expect(job["timeout-minutes"]).toBeGreaterThan(0)
    return job.steps
  })
  const commands = steps.map(({ run = "" }) => run).join("\n")
  expect(commands).toMatch(/^\.ci\/run$/m)
  accessSync(join(root, ".ci", "run"), constants.X_OK)
  // The version of Bun is said in package.json and nowhere here.
  expect(text).not.toContain(manifest.engines.bun)
  for (const [, script = ""] of commands.matchAll(/ run (\w+)/g)) {
    expect(Object.keys(manifest.scripts)).toContain(script)
  }
})

const shell = withPrograms("the shell that reads the steps of workflows", "bash")
shell.each(readdirSync(folder))("%s has steps that the shell can read", (name) => {
  const text = readFileSync(join(folder, name), "utf8")
  const { jobs } = Bun.YAML.parse(text) as { readonly jobs: Readonly<Record<string, Job>> }
  for (const step of Object.values(jobs).flatMap((job) => job.steps)) {
    // It reads what is left when GitHub has filled in what it knows.
    const script = (step.run ?? "").replaceAll(/\$\{\{.*?\}\}/g, "x")
    const { success, stderr } = Bun.spawnSync(["bash", "-n", "-c", script])
    expect([script, success, stderr.toString()]).toEqual([script, true, ""])
  }
})

test.each(readdirSync(folder))("%s is one that GitHub can read", (name) => {
  const text = readFileSync(join(folder, name), "utf8")
  const workflow = Bun.YAML.parse(text) as { readonly jobs: Readonly<Record<string, Job>> }
  expect(unknown(workflow, keys.workflow)).toEqual([])
  for (const job of Object.values(workflow.jobs)) {
    expect(unknown(job, keys.job)).toEqual([])
    for (const step of job.steps) {
      expect(unknown(step, keys.step)).toEqual([])
      // Commands alone: an action is somebody else's code, and its version a tag that may move.
      expect(["run" in step, "uses" in step]).toEqual([true, false])
    }
  }
  const asked = [...text.matchAll(/\$\{\{ *(.*?) *\}\}/g)].map(([, expression = ""]) => expression)
  expect(text.split("${{").length).toBe(asked.length + 1)
  expect(asked.filter((expression) => !contexts.test(expression))).toEqual([])
})

test("Bun is installed by its hash, in the version of package.json, on every platform", () => {
  const read = (name: string): string => readFileSync(join(root, ".ci", "bun", name), "utf8")
  const { dependencies } = JSON.parse(read("package.json"))
  expect(dependencies).toEqual({ bun: manifest.engines.bun })
  const { packages } = JSON.parse(read("package-lock.json")) as {
    readonly packages: Readonly<
      Record<string, { readonly version?: string; readonly integrity?: string }>
    >
  }
  const locked = Object.entries(packages).filter(([name]) => name !== "")
  expect(locked.length).toBeGreaterThan(8)
  for (const [name, { version, integrity }] of locked) {
    expect([name, version]).toEqual([name, manifest.engines.bun])
    expect(integrity).toMatch(/^sha512-[A-Za-z0-9+/]{86}==$/)
  }
})
