/**
 * A container as an engine runs it with `--read-only --cap-drop ALL --security-opt no-new-privileges`, made with
 * unshare alone: own mounts and processes, PID 1, the image's user, entry point and health check. The network is the
 * machine's. Use `await using`.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { find } from "../../matrix/programs.ts"
import { BunlbProcess } from "../../support/processes.ts"
import { PATIENCE_MS, until } from "../../support/until.ts"
import type { ImageConfig } from "./store.ts"

const NAMESPACE = ["unshare", "--mount", "--pid", "--fork", "--propagation", "private"]

/**
 * $1 is the root; then pairs of a file and where it is seen, `--`, and what is run. That is in processes of its own
 * within those of unshare: the kernel forgets to kill with unshare what has become another user, not what is within.
 */
const SCRIPT = `
  root=$1; shift
  mount --bind "$root" "$root"
  while [ "$1" != -- ]; do
    mount --bind "$1" "$root$2"; mount -o remount,ro,bind "$root$2"; shift 2
  done
  shift
  mount -o remount,ro,bind "$root"
  mount --rbind /dev "$root/dev"
  exec ${NAMESPACE.join(" ")} sh -ec 'mount -t proc proc "$0/proc"; exec "$@"' "$root" "$@"`

export interface Image {
  /** Its files. */
  readonly root: string
  readonly config: ImageConfig
}

export interface Options {
  readonly env?: Readonly<Record<string, string>>
  /** After the image's entry point. */
  readonly args?: readonly string[]
  /** Files of this machine, by where the container sees them, read-only. */
  readonly files?: Readonly<Record<string, string>>
}

export class Container implements AsyncDisposable {
  private constructor(
    readonly process: BunlbProcess,
    /** What the machine calls the container's PID 1. */
    readonly pid: number,
    private readonly config: ImageConfig,
    private readonly env: readonly string[],
  ) {}

  static async start({ root, config }: Image, options: Options): Promise<Container> {
    const files = Object.entries(options.files ?? {})
    for (const [place] of files) {
      mkdirSync(join(root, dirname(place)), { recursive: true })
      writeFileSync(join(root, place), "")
    }
    const own = Object.entries(options.env ?? {}).map(([name, value]) => `${name}=${value}`)
    const env = [...(config.Env ?? []), ...own]
    const process = new BunlbProcess(
      [
        ...[...NAMESPACE, "--kill-child", "sh", "-ec", SCRIPT, "sh", root],
        ...[...files.flatMap(([place, file]) => [file, place])],
        ...["--", "setpriv", "--no-new-privs", "env", "-i", ...env],
        ...[programOf("chroot"), `--userspec=${config.User}`, "--groups=", root],
        ...[...config.Entrypoint, ...(options.args ?? [])],
      ],
      {},
    )
    try {
      await process.line(/bunlb \S+: http:/)
    } catch (error) {
      await process[Symbol.asyncDispose]()
      throw error
    }
    const [within = 0] = childrenOf(process.pid)
    const [pid = 0] = childrenOf(within)
    return new Container(process, pid, config, env)
  }

  /** The path by which this machine opens what the container sees at `place`. */
  seen(place: string): string {
    return join("/proc", `${this.pid}`, "root", place)
  }

  /** A line of its PID 1's /proc/PID/status. */
  status(key: string): string {
    return new RegExp(`^${key}:[ \\t]*(.*?) *$`, "m").exec(statusOf(this.pid))?.[1] ?? ""
  }

  workers(): number[] {
    return childrenOf(this.pid)
  }

  /** Its health check, run once in it as an engine does; true is well. */
  async isWell(): Promise<boolean> {
    const [uid = "", gid = ""] = this.config.User.split(":")
    const [how, ...command] = this.config.Healthcheck.Test
    if (how !== "CMD") throw new Error(`a health check by ${how} needs a shell`)
    const health = Bun.spawn(
      [
        ...[programOf("nsenter"), "--target", `${this.pid}`, "--mount", "--pid", "--root", "--wd"],
        ...["--setuid", uid, "--setgid", gid, ...command],
      ],
      {
        env: Object.fromEntries(this.env.map((each) => each.split(/=(.*)/s))),
        stdio: ["ignore", "pipe", "pipe"],
        timeout: this.config.Healthcheck.Timeout / 1e6,
      },
    )
    const [said, complained] = await Promise.all([health.stdout.text(), health.stderr.text()])
    const code = await health.exited
    if (code !== 0 && code !== 1) throw new Error(`the health check: ${code}: ${said}${complained}`)
    return code === 0
  }

  /** Waits until as many health checks in a row as the image asks for say the same. */
  async settles(well: boolean): Promise<void> {
    let inRow = 0
    const settled = async (): Promise<boolean> => {
      inRow = (await this.isWell()) === well ? inRow + 1 : 0
      return inRow === this.config.Healthcheck.Retries
    }
    await until(settled, PATIENCE_MS, `a health check that says ${well ? "well" : "unwell"}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process[Symbol.asyncDispose]()
    await until(() => isGone(this.pid), PATIENCE_MS, "the end of the container")
  }
}

/** A zombie is: who waits for it is not our matter. */
function isGone(pid: number): boolean {
  return !/^State:\s+[^Z]/m.test(statusOf(pid))
}

function statusOf(pid: number): string {
  const path = `/proc/${pid}/status`
  return existsSync(path) ? readFileSync(path, "utf8") : ""
}

function programOf(name: string): string {
  return find(name) ?? name
}

function childrenOf(pid: number): number[] {
  const list = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim()
  return list === "" ? [] : list.split(" ").map(Number)
}
