/** What only the real program shows: its start, its streams, its signals and exit codes. */
import { expect, test } from "bun:test"
import { spawnBunlb } from "../support/processes.ts"
import { withPrograms } from "../support/left-out.ts"

test("a mistake is one line on standard error and exit code 2", async () => {
  await using bunlb = spawnBunlb(["--prot", "80"])
  expect(await bunlb.exited()).toBe(2)
  expect(bunlb.stderr).toEqual(["bunlb: unknown flag --prot, did you mean --port?"])
  expect(bunlb.stdout).toEqual([])
})

test("help is on standard output, whole, and exit code 0", async () => {
  await using bunlb = spawnBunlb(["--help"])
  expect(await bunlb.exited()).toBe(0)
  expect(bunlb.stderr).toEqual([])
  expect(bunlb.stdout.at(-1)).toBe("Also: bunlb COMMAND --help, bunlb --version")
})

withPrograms("a pipe that ignores SIGPIPE", "bash")(
  "a reader that has left is no failure",
  async () => {
    // The first loop ends when the pipe has no reader any more.
    const script = `{ trap "" PIPE; while printf x; do :; done 2>&-;
    "${process.execPath}" src/main.ts --help; echo "code $?" >&2; } | true`
    const child = Bun.spawn(["bash", "-c", script], { stdout: "pipe", stderr: "pipe" })
    expect(await child.stderr.text()).toBe("code 0\n")
  },
)

test.each(["SIGINT", "SIGTERM"] as const)(
  "a test backend says where it is and ends by %s",
  async (signal) => {
    await using bunlb = spawnBunlb(["backend", "-p", "0", "--name", "b1", "--status", "418"])
    const [, url = ""] = await bunlb.line(/^b1 listening on (http:\/\/127\.0\.0\.1:\d+)$/)
    expect((await fetch(url)).status).toBe(418)
    bunlb.kill(signal)
    expect(await bunlb.exited()).toBe(0)
    expect(bunlb.stderr).toEqual([])
  },
)

test("a port in use is one line and exit code 1", async () => {
  const taken = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("") })
  await using bunlb = spawnBunlb(["backend", "-p", String(taken.port)])
  expect(await bunlb.exited()).toBe(1)
  expect(bunlb.lines).toEqual([
    `bunlb: 127.0.0.1:${taken.port} is already in use; choose another with -p`,
  ])
  await taken.stop(true)
})
