/** Fuzzers that find nothing may be blind: each is shown bugs that it must find, put in from outside. */
import { describe, expect, test } from "bun:test"
import { PartialHead } from "../../src/h1/partial-head.ts"
import { Outbox } from "../../src/net/outbox.ts"
import { Exchange } from "../../src/proxy/exchange/exchange.ts"
import { RequestRelay } from "../../src/proxy/exchange/request-relay.ts"
import { ResponseRelay } from "../../src/proxy/exchange/response-relay.ts"
import { rng } from "../support/until.ts"
import { canaries } from "./canaries.ts"
import { disagreement, makeMessage } from "./heads.ts"
import { divergence, gather, gatherForgetfully, makeStream, pieces } from "./streams.ts"
import { makeRound } from "./traffic.ts"
import { Theatre } from "./whole-proxy.ts"
import { Lane, makeWireStream, wireDivergence } from "./wire-streams.ts"

describe("a finds that", () => {
  test.each(canaries.map((canary) => [canary.name, canary] as const))("%s", (_name, canary) => {
    const chance = rng(7)
    const finds = (): boolean => {
      const message = makeMessage(chance)
      return canary.kinds.includes(message.kind) && disagreement(message, canary.plant) !== null
    }
    expect(anyOf(20_000, finds)).toBe(true)
  })
})

describe("b finds a line end that was forgotten between two pieces:", () => {
  test("in the scanner", () => {
    const chance = rng(7)
    const finds = (): boolean => {
      const stream = makeStream(chance)
      return divergence(stream, [pieces(stream.text, chance)], gatherForgetfully) !== null
    }
    expect(anyOf(200, finds)).toBe(true)
    const sound = makeStream(chance)
    expect(divergence(sound, [pieces(sound.text, chance)], gather)).toBe(null)
  })

  test("through a balancer", async () => {
    const chance = rng(7)
    const lane = await Lane.open()
    const add = PartialHead.prototype.add
    PartialHead.prototype.add = function (bytes) {
      return add.call(this, bytes) && bytes.includes("\r\n")
    }
    let found = false
    for (let i = 0; i < 3000 && !found; i++) {
      found = (await wireDivergence(makeWireStream(chance), lane)) !== null
    }
    PartialHead.prototype.add = add
    lane.close()
    expect(found).toBe(true)
  })
})

describe("c finds", () => {
  test("connections that are used again with an answer too many on them", async () => {
    const { receive } = ResponseRelay.prototype
    ResponseRelay.prototype.receive = function (bytes, terms) {
      const outcome = receive.call(this, bytes, terms)
      this.reusable = true
      return outcome
    }
    const found = await isFound(/after a surplus answer|got the answer to/)
    ResponseRelay.prototype.receive = receive
    expect(found).toBe(true)
  })

  test("requests sent twice that must not be", async () => {
    const { begin } = RequestRelay.prototype
    RequestRelay.prototype.begin = function (...args) {
      const used = begin.apply(this, args)
      this.idempotent = true
      return used
    }
    const found = await isFound(/came [23] times/)
    RequestRelay.prototype.begin = begin
    expect(found).toBe(true)
  })

  test("a byte changed", async () => {
    const { send } = Outbox.prototype
    let sent = 0
    Outbox.prototype.send = function (socket, bytes, from, to) {
      if (to - from > 2000 && ++sent % 10 === 0) bytes[to - 100] = 33
      return send.call(this, socket, bytes, from, to)
    }
    const found = await isFound(/another body|chunk size/)
    Outbox.prototype.send = send
    expect(found).toBe(true)
  })

  test("what is left behind by clients that have gone", async () => {
    const { clientGone } = Exchange.prototype
    Exchange.prototype.clientGone = () => {}
    const found = await isFound(/active/)
    Exchange.prototype.clientGone = clientGone
    expect(found).toBe(true)
  })
})

function anyOf(times: number, finds: () => boolean): boolean {
  for (let i = 0; i < times; i++) if (finds()) return true
  return false
}

/** Plays rounds until one is found to be wrong in this way. */
async function isFound(how: RegExp): Promise<boolean> {
  const chance = rng(7)
  const theatre = await Theatre.open()
  let found = false
  for (let i = 0; i < 60 && !found; i++) {
    found = how.test((await theatre.play(makeRound(chance, false))) ?? "")
  }
  theatre.close()
  return found
}
