/** Rights that a process has from its executable file. */
import { expect, test } from "bun:test"
import { chmodSync, chownSync, copyFileSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { hasFilePrivileges, tellsOfFilePrivileges } from "../../../src/net/linux/file-privileges.ts"
import { isLeftOut } from "../../support/left-out.ts"
import { root } from "../../support/source.ts"

const BIND = "0000000000000400"
const NONE = "0000000000000000"

function status(uid: string, gid: string, permitted: string, ambient: string): string {
  const ids = [`Uid:\t${uid}\t${uid}`, `Gid:\t${gid}\t${gid}`]
  return ["Name:\tbunlb", ...ids, `CapPrm:\t${permitted}`, `CapAmb:\t${ambient}`, ""].join("\n")
}

test.each([
  ["an ordinary user", status("7\t7", "7\t7", NONE, NONE), false],
  ["root", status("0\t0", "0\t0", "000001ffffffffff", NONE), false],
  ["AmbientCapabilities of a unit", status("7\t7", "7\t7", BIND, BIND), false],
  ["setcap", status("7\t7", "7\t7", BIND, NONE), true],
  ["setcap beside an ambient capability", status("7\t7", "7\t7", "0000000000000c00", BIND), true],
  ["set-user-ID", status("7\t0", "7\t7", NONE, NONE), true],
  ["set-group-ID", status("7\t7", "7\t0", NONE, NONE), true],
  ["no such file", "", false],
])("%s", (_what, text, expected) => {
  expect(tellsOfFilePrivileges(text)).toBe(expected)
})

test("this process has none", () => {
  expect(hasFilePrivileges()).toBeFalse()
})

const programs = ["setcap", "setpriv"].every((program) => Bun.which(program) !== null)
const able = process.getuid?.() === 0 && programs
const skipped = isLeftOut("file capabilities", able, "it needs root, setcap and setpriv")

test.skipIf(skipped)(
  "the kernel's word, with a file that has capabilities and one that has an ID bit",
  () => {
    const folder = mkdtempSync(join(tmpdir(), "bunlb-rights-"))
    try {
      chmodSync(folder, 0o755)
      const program = join(folder, "bun")
      copyFileSync(process.execPath, program)
      chmodSync(program, 0o755)
      const source = JSON.stringify(join(root, "src/net/linux/file-privileges.ts"))
      const code = `console.log((await import(${source})).hasFilePrivileges())`
      const say = (): string => {
        const asNobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        const run = Bun.spawnSync([...asNobody, program, "-e", code], { cwd: "/" })
        return run.stdout.toString() + run.stderr.toString()
      }
      expect(say()).toBe("false\n")
      Bun.spawnSync(["setcap", "cap_net_bind_service+ep", program])
      expect(say()).toBe("true\n")
      Bun.spawnSync(["setcap", "-r", program])
      expect(say()).toBe("false\n")
      chownSync(program, 1, 1)
      chmodSync(program, 0o4755)
      expect(say()).toBe("true\n")
    } finally {
      rmSync(folder, { recursive: true })
    }
  },
)
