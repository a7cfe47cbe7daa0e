/** Can images be built and run here? Asked of the machine by doing it, in a small way: rights have many names. */
import { join } from "node:path"
import { find } from "../../matrix/programs.ts"
import { contextOf, putProgram } from "./context.ts"
import { ImageStore } from "./store.ts"

/** What stands in the way, or null. */
export async function obstacleToImages(): Promise<string | null> {
  if (process.platform !== "linux") return "containers are Linux's"
  if (process.getuid?.() !== 0) return "it needs root"
  for (const program of ["buildah", "unshare", "nsenter", "setpriv", "chroot", "ldd", "openssl"]) {
    if (find(program) === null) return `${program} is not installed`
  }
  const line = ["unshare", "--mount", "--pid", "--fork", "--propagation", "private", "sh", "-ec"]
  const mounts = "mount --bind /tmp /tmp; mount -t proc proc /proc"
  const { exitCode, stderr } = Bun.spawnSync([...line, mounts], { stderr: "pipe" })
  if (exitCode !== 0) return `no namespaces here: ${stderr.toString().trim()}`
  using store = new ImageStore()
  const folder = contextOf(store, "trial", ["FROM scratch", "COPY root /", "RUN true"])
  putProgram("/bin/sh", join(folder, "root"), "/bin/sh")
  return await store.make("trial", folder).then(
    () => null,
    (error: unknown) => `buildah runs no step here: ${lastLine(String(error))}`,
  )
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? ""
}
