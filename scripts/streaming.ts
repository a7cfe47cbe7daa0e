/**
 * One GiB each way past a slow end: a download to a reader, and an upload to a backend, that stop reading again and
 * again. bunlb must hold back the fast end and not the bytes: its memory may not grow by 32 MiB, and every byte must
 * arrive. Backend and client live in this process, bunlb in one of its own.
 *
 *   bun scripts/streaming.ts [--mib 1024] [--rest-every 16] [--rest-ms 200]
 *
 * BUNLB_TEST_EXECUTABLE names an executable to run instead of the source. Exit code 1: too much memory, or other bytes.
 */
import { readFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { spawnBunlb } from "../test/support/processes.ts"
import { RawClient } from "../test/support/raw-client.ts"
import { ScriptedBackend, answer } from "../test/support/scripted-backend.ts"
import { rng } from "../test/support/until.ts"
import type { Wire } from "../test/support/wire.ts"

const MIB = 2 ** 20
const GROWTH_LIMIT_MIB = 32
const SAMPLE_MS = 20
const WARM_REQUESTS = 200
const PORT_LINE = /http:\/\/[\d.]+:(\d+) ->/

const { values } = parseArgs({
  options: {
    mib: { type: "string", default: "1024" },
    "rest-every": { type: "string", default: "16" },
    "rest-ms": { type: "string", default: "200" },
  },
})
const length = Number(values.mib) * MIB
const restEvery = Number(values["rest-every"]) * MIB
const restMs = Number(values["rest-ms"])
const block = rng(1).bytes(MIB)

/** Sends all bytes as fast as they are taken; the hash of what was sent. */
async function sendAll(wire: Wire): Promise<string> {
  const hasher = new Bun.CryptoHasher("sha256")
  for (let sent = 0; sent < length; sent += block.length) {
    if (!(await wire.send(block))) throw new Error(`the connection ended after ${sent} bytes`)
    hasher.update(block)
  }
  return hasher.digest("hex")
}

/** Receives all bytes with many rests; the hash of what came. */
function receiveSlowly(wire: Wire): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  const hasher = new Bun.CryptoHasher("sha256")
  let received = 0
  let rests = 0
  wire.sink((bytes) => {
    received += bytes.length
    hasher.update(bytes)
    if (received >= length) return resolve(hasher.digest("hex"))
    if (received < (rests + 1) * restEvery) return
    rests++
    wire.pause()
    setTimeout(() => wire.resume(), restMs)
  })
  return promise
}

function residentMiB(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8")
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024
}

async function measure(name: string, pid: number, run: () => Promise<[string, string]>) {
  const before = residentMiB(pid)
  let peak = before
  const sampler = setInterval(() => (peak = Math.max(peak, residentMiB(pid))), SAMPLE_MS)
  const began = performance.now()
  const [sent, received] = await run()
  clearInterval(sampler)
  const seconds = (performance.now() - began) / 1000
  const growth = peak - before
  const good = sent === received && growth < GROWTH_LIMIT_MIB
  console.log(
    `${name.padEnd(30)} ${values.mib} MiB in ${seconds.toFixed(1)} s, memory ` +
      `${before.toFixed(1)} -> at most ${peak.toFixed(1)} MiB (+${growth.toFixed(1)}), ` +
      `SHA-256 ${sent === received ? "equal" : "DIFFERENT"}: ${good ? "good" : "BAD"}`,
  )
  if (!good) process.exitCode = 1
}

const upload: { hash: (hash: string) => void } = { hash: () => {} }
const backend = await ScriptedBackend.start(async (connection) => {
  for (;;) {
    const { method, target } = await connection.receiveRequestHead()
    if (method === "POST") {
      // What comes now is the body and nothing else.
      upload.hash(await receiveSlowly(connection))
      await connection.send(answer(200, "received", "Connection: close"))
      return
    }
    if (target !== "/big") {
      await connection.send(answer(200, "small"))
      continue
    }
    await connection.send(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`)
    sentDown.resolve(await sendAll(connection))
  }
})
const sentDown = Promise.withResolvers<string>()

await using program = spawnBunlb([
  ...["-m", "sp", "-h", "127.0.0.1", "-p", "0", "--admin", "off", "--health-type", "none"],
  ...["-b", `127.0.0.1:${backend.port}`],
])
const port = Number((await program.line(PORT_LINE))[1])
const client = await RawClient.connect(port)
for (let i = 0; i < WARM_REQUESTS; i++) await client.exchange("GET / HTTP/1.1\r\nHost: x\r\n\r\n")

await measure("download to a slow reader", program.pid, async () => {
  await client.send("GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
  await client.receiveUntil("\r\n\r\n")
  const received = await receiveSlowly(client)
  return [await sentDown.promise, received]
})

await measure("upload to a slow backend", program.pid, async () => {
  const uploader = await RawClient.connect(port)
  const received = new Promise<string>((resolve) => (upload.hash = resolve))
  await uploader.send(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`)
  const sent = await sendAll(uploader)
  const pair: [string, string] = [sent, await received]
  await uploader.receiveResponse()
  await uploader.close()
  return pair
})

await client.close()
backend.stop()
