/**
 * Tries an executable: what it says of itself, how soon, and whether it balances; this machine's own in a root that has
 * nothing else, another's under an emulator where there is one.
 */
import { copyFileSync, existsSync, mkdirSync } from "node:fs"
import { join } from "node:path"
import { putLibraries } from "./bare-root.ts"
import type { Source } from "./source.ts"

const RUNS = 7
const READY_LIMIT_MS = 10_000
/** All that the executable is linked with, and what a process expects to find. */
const DEVICES = ["/dev/null", "/dev/urandom"]

/** By target: the emulator, and the libraries of that machine. Debian: qemu-user-static and libc6-arm64-cross. */
const EMULATORS: Readonly<Record<string, readonly [program: string, libraries: string]>> = {
  "linux-arm64": ["qemu-aarch64-static", "/usr/aarch64-linux-gnu"],
  "linux-x64": ["qemu-x86_64-static", "/usr/x86_64-linux-gnu"],
}

export function tryVersion(file: string, source: Source): string {
  const took: number[] = []
  for (let run = 0; run < RUNS; run++) {
    const begun = performance.now()
    askVersion([file], source)
    took.push(performance.now() - begun)
  }
  return `--version takes ${Math.round(Math.min(...took))} ms`
}

/** Null where there is no emulator. One process: a worker would be started without the emulator. */
export async function tryEmulated(
  file: string,
  source: Source,
  target: string,
): Promise<string | null> {
  const [program = "", libraries = ""] = EMULATORS[target] ?? []
  const emulator = process.platform === "linux" ? Bun.which(program) : null
  if (emulator === null || !existsSync(libraries)) return null
  const command = [emulator, "-L", libraries, file]
  askVersion(command, source)
  await balance((...words) => [...command, ...words], "-m", "sp")
  return `balances under ${program}`
}

function askVersion(command: readonly string[], source: Source): void {
  const { exitCode, stdout } = Bun.spawnSync([...command, "--version", "--verbose"], {
    cwd: "/",
    env: {},
  })
  const said = stdout.toString()
  const knows = [source.version, source.commit, source.date].every((fact) => said.includes(fact))
  if (exitCode !== 0 || !knows) throw new Error(`--version --verbose says ${JSON.stringify(said)}`)
}

/** A folder with the executable and the libraries it is linked with becomes the root. Needs Linux and root. */
export async function tryInBareRoot(
  file: string,
  source: Source,
  scratch: string,
): Promise<string> {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "no bare root: not root"
  const root = join(scratch, "bare-root")
  putLibraries(file, root)
  copyFileSync(file, join(root, "bunlb"))
  mkdirSync(join(root, "proc"))
  mkdirSync(join(root, "dev"))
  for (const device of DEVICES) await Bun.write(join(root, device), "")
  // A namespace of its own: what is mounted there goes with the process.
  const mounts = [
    `mount --rbind /proc "$0/proc"`,
    ...DEVICES.map((device) => `mount --bind ${device} "$0${device}"`),
  ].join(" && ")
  const inside = (...words: string[]): string[] => [
    ...["unshare", "--mount", "--propagation", "private", "sh", "-c"],
    ...[`${mounts} && exec env -i "$(command -v chroot)" "$0" /bunlb "$@"`, root, ...words],
  ]
  const { stdout, stderr } = Bun.spawnSync(inside("--version"))
  if (!stdout.toString().includes(source.version)) {
    throw new Error(`in a bare root it says: ${stdout}${stderr}`)
  }
  await balance(inside, "-w", "2")
  return "balances in a bare root"
}

/** A backend and a balancer, run by what `inside` makes of their words. */
async function balance(
  inside: (...words: string[]) => string[],
  ...workers: readonly string[]
): Promise<void> {
  const [backendPort, port] = [freePort(), freePort()]
  const own = { stdio: ["ignore", "ignore", "ignore"] as ["ignore", "ignore", "ignore"] }
  const backend = Bun.spawn(inside("backend", "-h", "127.0.0.1", "-p", `${backendPort}`), own)
  const settings = ["-h", "127.0.0.1", "-p", `${port}`, ...workers, "--admin", "off"]
  const balancer = Bun.spawn(inside(...settings, "-b", `127.0.0.1:${backendPort}`), own)
  try {
    await untilAnswered(`http://127.0.0.1:${port}/`)
    balancer.kill("SIGTERM")
    const code = await balancer.exited
    if (code !== 0) throw new Error(`told to stop, it ends with exit code ${code}`)
  } finally {
    balancer.kill("SIGKILL")
    backend.kill("SIGKILL")
  }
}

async function untilAnswered(url: string): Promise<void> {
  const deadline = performance.now() + READY_LIMIT_MS
  for (;;) {
    const answered = await fetch(url).then(
      (response) => response.ok,
      () => false,
    )
    if (answered) return
    if (performance.now() > deadline) throw new Error("it does not balance")
    await Bun.sleep(20)
  }
}

function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
  const { port } = listener
  listener.stop(true)
  return port
}
