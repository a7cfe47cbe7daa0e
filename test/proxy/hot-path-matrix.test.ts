/**
 * The rule of the hot path over all that a request may meet: a trusted proxy before bunlb, sticky sessions, a backend
 * that warms up, bodies of every kind. In the steady state none of them makes an object for a request.
 */
import { heapStats } from "bun:jsc"
import { expect, onTestFinished } from "bun:test"
import { onLinux } from "../support/left-out.ts"
import { TestBalancer, type SettingsPart } from "../support/balancer.ts"
import { PATIENCE_MS, until } from "../support/until.ts"
import { OutsidePump, type Traffic } from "./outside-pump.ts"

const LIMIT_MS = 60_000
const WARM_UP = 1500
const COUNTED = 2500
const ATTEMPTS = 3
/** Objects of one kind for each request: what is fewer is of the talk with the pump, or of the event loop. */
const NEXT_TO_NONE = 0.2
const BODY = 16 * 1024
const housekeeping = ["Structure", "PropertyTable", "Immediate"]

const fields =
  "Host: www.example.org\r\nX-Forwarded-For: 203.0.113.7, 127.0.0.2,\r\n" +
  "X-Forwarded-Proto: https\r\nX-Request-Id: 7b0e1c9e-5f0a\r\n" +
  "Cookie: theme=dark; bunlb=0123456789abcdef; sid=0f8c1b6a\r\nAccept: */*\r\n"
const filler = `${"x".repeat(BODY - 1)}\n`
const chunk = `${BODY.toString(16)}\r\n${filler}\r\n0\r\n\r\n`
const small = { response: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n.\n", responseBytes: 40 }
const get = { request: `GET /a HTTP/1.1\r\n${fields}\r\n`, requestBytes: 100 }

const kinds: Readonly<Record<string, Traffic>> = {
  "no body": { ...get, ...small },
  "a request of 16 KiB": {
    request: `POST /a HTTP/1.1\r\n${fields}Content-Length: ${BODY}\r\n\r\n${filler}`,
    requestBytes: BODY,
    ...small,
  },
  "a request in chunks": {
    request: `POST /a HTTP/1.1\r\n${fields}Transfer-Encoding: chunked\r\n\r\n${chunk}`,
    requestBytes: BODY,
    ...small,
  },
  "a response of 16 KiB": {
    ...get,
    response: `HTTP/1.1 200 OK\r\nContent-Length: ${BODY}\r\n\r\n${filler}`,
    responseBytes: BODY,
  },
  "a response in chunks": {
    ...get,
    response: `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}`,
    responseBytes: BODY,
  },
}

interface Case {
  readonly trusted: boolean
  readonly sticky: boolean
  readonly warming: boolean
}

const cases: readonly Case[] = [false, true].flatMap((trusted) =>
  [false, true].flatMap((sticky) => [false, true].map((warming) => ({ trusted, sticky, warming }))),
)

function settingsOf({ trusted, sticky, warming }: Case): SettingsPart {
  const probing = { type: "tcp", interval: 100, timeout: 100, failures: 1, successes: 1 } as const
  return {
    trustedProxies: trusted ? ["10.0.0.0/8", "fd00::/8", "127.0.0.0/8"] : [],
    strategy: sticky ? "sticky" : "round_robin",
    health: warming ? { ...probing, slowStart: 3_600_000 } : {},
  }
}

/** By kind, how many objects come to be for each request at most: of several attempts, while one shows any. */
async function objectsMade(work: () => Promise<void>): Promise<[string, number][]> {
  const fewest = new Map<string, number>()
  const made = () =>
    [...fewest].filter(([kind, each]) => each > NEXT_TO_NONE && !housekeeping.includes(kind))
  for (let attempt = 0; attempt === 0 || (attempt < ATTEMPTS && made().length > 0); attempt++) {
    Bun.gc(true)
    const before = heapStats().objectTypeCounts
    await work()
    const after = heapStats().objectTypeCounts
    for (const kind of new Set([...Object.keys(after), ...fewest.keys()])) {
      const each = ((after[kind] ?? 0) - (before[kind] ?? 0)) / COUNTED
      fewest.set(kind, Math.min(each, fewest.get(kind) ?? (attempt === 0 ? each : 0)))
    }
  }
  return made()
}

const test = onLinux("what a request makes", "with Bun's sockets each receive makes a buffer")

for (const [kind, traffic] of Object.entries(kinds)) {
  test(
    `${kind}: nothing is made for a request, whatever else is asked of it`,
    async () => {
      const { pump, ports } = await OutsidePump.start(traffic)
      onTestFinished(() => pump.stop())
      for (const each of cases) {
        const balancer = await TestBalancer.start(ports, settingsOf(each))
        if (each.warming) {
          await pump.second(false)
          await until(() => balancer.changes.length > 0, PATIENCE_MS, "the end of a backend")
          await pump.second(true)
          await until(() => balancer.changes.length > 1, PATIENCE_MS, "a backend that warms up")
        }
        await pump.connect(balancer.port, 8)
        await pump.run(WARM_UP)
        expect({ ...each, made: await objectsMade(() => pump.run(COUNTED)) }).toEqual({
          ...each,
          made: [],
        })
      }
    },
    LIMIT_MS,
  )
}
