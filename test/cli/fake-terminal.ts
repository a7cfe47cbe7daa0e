/** A terminal whose lines a test reads, and the command tree in this process. */
import { add, disable, enable, remove, set } from "../../src/cli/by-hand.ts"
import { backend } from "../../src/cli/backend.ts"
import { check } from "../../src/cli/check.ts"
import { runCommandLine } from "../../src/cli/command-line.ts"
import { demo } from "../../src/cli/demo.ts"
import { drain } from "../../src/cli/drain.ts"
import { explain } from "../../src/cli/explain.ts"
import { health } from "../../src/cli/health.ts"
import { keepalived } from "../../src/cli/keepalived.ts"
import { reload } from "../../src/cli/reload.ts"
import { run } from "../../src/cli/run.ts"
import { schema } from "../../src/cli/schema.ts"
import { status } from "../../src/cli/status.ts"
import { painter } from "../../src/observe/colour.ts"
import { watch } from "../../src/cli/watch-over.ts"

const tree = {
  run: async () => run,
  check: async () => check,
  demo: async () => demo,
  backend: async () => backend,
  health: async () => health,
  schema: async () => schema,
  status: async () => status,
  watch: async () => watch,
  keepalived: async () => keepalived,
  reload: async () => reload,
  drain: async () => drain,
  explain: async () => explain,
  ...{ enable: async () => enable, disable: async () => disable, set: async () => set },
  ...{ add: async () => add, remove: async () => remove },
}

export interface Said {
  readonly code: number
  readonly out: string
  readonly complaints: string
}

/** What `bunlb WORDS` says and how it ends. For commands that end by themselves. */
export async function bunlb(
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Said> {
  const out: string[] = []
  const complaints: string[] = []
  const code = await runCommandLine(tree, words, {
    out: (line) => void out.push(line),
    complain: (line) => void complaints.push(line),
    paint: painter(false),
    paintComplaint: painter(false),
    environment,
    machine: { cpus: 4, platform: "linux", privileged: true },
  })
  return { code, out: out.join("\n"), complaints: complaints.join("\n") }
}
