/** The workflows do what everybody does by hand: through the same scripts, which must exist. */
import { expect, test } from "bun:test"
import { accessSync, constants, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import manifest from "../../package.json" with { type: "json" }
import { root } from "../support/source.ts"

interface Job {
  readonly "runs-on": string
  readonly "timeout-minutes": number
  readonly steps: readonly { readonly run?: string; readonly uses?: string }[]
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
