/** A system on which the runtime may not compile code: bunlb says so, and does not blame the C library. */
import { expect, setDefaultTimeout, test } from "bun:test"
import { onLinux } from "../support/left-out.ts"
import { spawnBunlb } from "../support/processes.ts"

setDefaultTimeout(30_000)

const flags = ["-h", "127.0.0.1", "-p", "0", "--admin", "off", "-b", "127.0.0.1:9"]
const words = /the runtime cannot compile code/

test("with the JIT switched off", async () => {
  await using bunlb = spawnBunlb(flags, { env: { BUN_JSC_useJIT: "0" } })
  expect(await bunlb.exited(10_000)).toBe(1)
  expect(bunlb.lines.join("\n")).toMatch(words)
  expect(bunlb.lines.length).toBe(1)
})

onLinux("too little address space", "only Linux keeps `ulimit -v`")(
  "with too little address space",
  async () => {
    const behind = ["sh", "-c", 'ulimit -v 2000000; exec "$@"', "sh"]
    await using bunlb = spawnBunlb(flags, { behind })
    expect(await bunlb.exited(10_000)).not.toBe(0)
    expect(bunlb.lines.join("\n")).toMatch(words)
  },
)
