/** Several listeners count as open as long as none of them refuses. */
import { expect, onTestFinished, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { PORT_MS, PortProbes } from "../../src/ha/port-probes.ts"
import { refusedPort } from "../support/refused-port.ts"
import { PATIENCE_MS, until } from "../support/until.ts"

function listen(port = 0) {
  const server = Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } })
  onTestFinished(() => server.stop(true))
  return server
}

function probes(...addresses: ConstructorParameters<typeof PortProbes>[0]) {
  const told: boolean[] = []
  const made = new PortProbes(addresses, (open) => void told.push(open))
  onTestFinished(() => made.drop())
  return { made, told }
}

test("one that refuses is enough, and all have to take connections again", async () => {
  const folder = mkdtempSync(join(tmpdir(), "bunlb-probes-"))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, "socket")
  const local = Bun.listen({ unix: path, socket: { data() {} } })
  onTestFinished(() => local.stop(true))
  const port = refusedPort()
  const { made, told } = probes(
    { host: "127.0.0.1", port: listen().port },
    { path },
    { host: "127.0.0.1", port },
  )
  made.dial(0, false)
  await until(() => told.length === 3, PATIENCE_MS, "all answers")
  expect(told.at(-1)).toBe(false)
  // Too soon for another dial, unless something is odd.
  made.dial(PORT_MS - 1, false)
  const server = listen(port)
  made.dial(PORT_MS - 1, true)
  await until(() => told.length === 6, PATIENCE_MS, "all answers again")
  expect(told.at(-1)).toBe(true)
  server.stop(true)
  made.dial(2 * PORT_MS, false)
  await until(() => told.length === 9, PATIENCE_MS, "the third answers")
  expect(told.at(-1)).toBe(false)
})

test("nothing is heard of dials that were dropped, and none are open when there are none", async () => {
  const { made, told } = probes({ host: "127.0.0.1", port: refusedPort() })
  made.dial(0, false)
  made.drop()
  probes().made.dial(0, true)
  await Bun.sleep(30)
  expect(told).toEqual([])
})
