/** The DNS client at servers that misbehave: what it costs to ask them, and what others have to wait for. */
import { describe, expect, onTestFinished, test } from "bun:test"
import { readdirSync } from "node:fs"
import { type AskRules, DnsClient } from "../../../src/net/names/dns-client.ts"
import { DnsFault } from "../../../src/net/names/dns-server.ts"
import { blackhole } from "../../support/blackhole.ts"
import { onLinux } from "../../support/left-out.ts"
import { type ScriptedRecord, ScriptedNames, replyTo } from "../../support/scripted-names.ts"
import { until } from "../../support/until.ts"

const address: readonly ScriptedRecord[] = [{ type: "A", data: "10.0.0.1" }]
/** Of the record at the end of a question that speaks EDNS. */
const EDNS_BYTES = 11

function asking(port: number, rules: Partial<AskRules> = {}) {
  const client = new DnsClient(() => performance.now())
  const servers = [{ host: "127.0.0.1", port }]
  const all = { servers, timeoutMs: 2_000, attempts: 2, tcp: false, rotate: false, ...rules }
  return async (name: string): Promise<string> => {
    try {
      return (await client.ask(name, "A", all)).map(({ data }) => data).join(" ")
    } catch (error) {
      return error instanceof DnsFault ? error.code : String(error)
    }
  }
}

const openFiles = (): number => readdirSync("/proc/self/fd").length

onLinux("a blackhole", "a full queue refuses elsewhere")(
  "a dial over TCP that is never answered leaves nothing open",
  async () => {
    using hole = await blackhole()
    const ask = asking(hole.port, { tcp: true, timeoutMs: 200, attempts: 2 })
    const before = openFiles()
    const names = Array.from({ length: 20 }, (_, i) => ask(`n${i}.test`))
    expect(new Set(await Promise.all(names))).toEqual(new Set(["ETIMEOUT"]))
    await until(() => openFiles() <= before + 2, 5_000, "all dials to be closed")
  },
)

test("names that are never answered hold up no other name", async () => {
  const server = await ScriptedNames.start(({ name }) =>
    name.startsWith("good") ? address : "SILENT",
  )
  const ask = asking(server.port, { timeoutMs: 1_200, attempts: 1 })
  const silent = Array.from({ length: 320 }, (_, i) => `n${i}.test`)
  await Promise.all(silent.map(ask))
  const again = silent.map(ask)
  const began = performance.now()
  expect(await ask("good.test")).toBe("10.0.0.1")
  expect(performance.now() - began).toBeLessThan(1_000)
  // Nor do they wait for ever themselves.
  expect(new Set(await Promise.all(again))).toEqual(new Set(["ETIMEOUT"]))
}, 30_000)

describe("a server that answers EDNS with", () => {
  test.each(["SERVFAIL", "REFUSED", "SILENT"] as const)("%s is asked without it", async (said) => {
    const server = await ScriptedNames.start(({ edns }) => (edns ? said : address))
    const ask = asking(server.port, { timeoutMs: 500 })
    expect(await ask("web.test")).toBe("10.0.0.1")
    expect(server.questions.map(({ edns }) => edns)).toEqual([true, false])
  })
})

describe("over TCP, a server that", () => {
  test.each([
    ["sends its answer in pieces", [1, 1, 3, 9, 100], "10.0.0.1"],
    ["sends half of it and closes", [20, 0], "ECONNRESET"],
    ["sends half of it and no more", [20], "ETIMEOUT"],
    ["closes at once", [0], "ECONNRESET"],
  ] as const)("%s", async (_what, pieces, told) => {
    const ask = asking(inPieces(pieces), { tcp: true, timeoutMs: 1_000, attempts: 1 })
    expect(await ask("web.test")).toBe(told)
  })
})

/** The port of a server that sends so many bytes at a time; after 0 it closes. */
function inPieces(pieces: readonly number[]): number {
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data: async (socket, bytes) => {
        const query = bytes.subarray(2)
        const reply = replyTo(query, query.length - EDNS_BYTES, 0, address)
        const length = Buffer.alloc(2)
        length.writeUInt16BE(reply.length, 0)
        let rest = Buffer.concat([length, reply])
        for (const piece of pieces) {
          if (piece === 0) return void socket.end()
          socket.write(rest.subarray(0, piece))
          rest = rest.subarray(piece)
          await Bun.sleep(5)
        }
      },
    },
  })
  onTestFinished(() => server.stop(true))
  return server.port
}
