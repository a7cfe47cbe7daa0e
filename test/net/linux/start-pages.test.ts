import { expect, test } from "bun:test"
import { unchangedFiles } from "../../../src/net/linux/start-pages.ts"

const mapping = (head: string, anonymousKb: number): string =>
  `${head}\nSize:               1000 kB\nRss:                 500 kB\nAnonymous:      ${anonymousKb} kB\nVmFlags: rd mr\n`

test("only unchanged pages of read-only files are unmapped", () => {
  const smaps = [
    mapping("00200000-01a39000 r--p 00000000 fe:00 1234          /usr/bin/bunlb", 0),
    mapping("01a40000-0684a000 r-xp 01840000 fe:00 1234          /usr/bin/bunlb (deleted)", 0),
    mapping("06867000-06f7b000 rw-p 06667000 fe:00 1234          /usr/bin/bunlb", 0),
    mapping("07000000-07001000 r--p 06667000 fe:00 1234          /usr/bin/bunlb", 4),
    mapping("27c27200000-27c67200000 rw-p 00000000 00:00 0 ", 7752),
    mapping("7f0000000000-7f0000001000 r-xp 00000000 00:00 0     [vdso]", 0),
    mapping("7f0000002000-7f0000003000 r--s 00000000 00:19 77    /dev/shm/board", 0),
    mapping("7fa077783000-7fa0778d9000 r-xp 00028000 fe:00 99    /lib/libc.so.6", 0),
  ].join("")
  expect(unchangedFiles(smaps)).toEqual([
    { from: 0x200000n, to: 0x1a39000n },
    { from: 0x1a40000n, to: 0x684a000n },
    { from: 0x7fa077783000n, to: 0x7fa0778d9000n },
  ])
  expect(unchangedFiles("")).toEqual([])
})

test.skipIf(process.platform !== "linux")(
  "a process that returns them goes on, smaller",
  async () => {
    const module = `${import.meta.dir}/../../../src/net/linux/start-pages.ts`
    const script = `
    import { readFileSync } from "node:fs"
    import { releaseStartPages } from ${JSON.stringify(module)}
    const fileKb = () => Number(/^RssFile:\\s+(\\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1])
    const before = fileKb()
    releaseStartPages()
    const timer = setInterval(() => {
      if (fileKb() > before * 0.7) return
      clearInterval(timer)
      console.log("smaller")
    }, 50)`
    const program = Bun.spawn([process.execPath, "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    })
    expect(await program.stdout.text()).toBe("smaller\n")
    expect(await program.exited).toBe(0)
  },
)
