/** A terminal whose lines a test reads, and the command tree in this process. */
import { commands } from "../../src/cli/commands.ts"
import { runCommandLine } from "../../src/cli/command-line.ts"
import { painter } from "../../src/observe/colour.ts"

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
  const code = await runCommandLine(commands, words, {
    out: (line) => void out.push(line),
    complain: (line) => void complaints.push(line),
    paint: painter(false),
    paintComplaint: painter(false),
    environment,
    machine: { cpus: 4, platform: "linux", privileged: true },
  })
  return { code, out: out.join("\n"), complaints: complaints.join("\n") }
}
