/**
 * The fuzzers: (a) messages against a reference, (b) the same bytes cut in pieces, in the scanner and through sockets,
 * (c) a whole balancer between clients and backends. Then everything that they have ever found, once more.
 */
import { describe, expect, test } from "bun:test"
import { disagreement, makeMessage } from "./heads.ts"
import { honest } from "./ours.ts"
import { keptCases, shrunkText, TIME_LIMIT_MS, tryMany, type Case } from "./run.ts"
import { divergence, gather, makeStream, pieces } from "./streams.ts"
import { makeRound } from "./traffic.ts"
import { Theatre } from "./whole-proxy.ts"
import { Lane, makeWireStream, wireDivergence } from "./wire-streams.ts"
import { rng } from "../support/until.ts"

test(
  "a: messages are read as the reference reads them",
  () =>
    tryMany(
      200_000,
      (chance) => ({ fuzzer: "heads", ...makeMessage(chance) }),
      (message) => disagreement(message, honest),
      (message) => ({
        ...message,
        text: shrunkText(
          message.text,
          (text) => disagreement({ ...message, text }, honest) !== null,
        ),
      }),
    ),
  TIME_LIMIT_MS,
)

test(
  "b: streams are read alike whole and in pieces",
  () => {
    const cuts = rng(2)
    return tryMany(
      50_000,
      (chance) => ({ fuzzer: "streams", ...makeStream(chance) }),
      (stream) =>
        divergence(stream, [pieces(stream.text, cuts), pieces(stream.text, cuts)], gather),
    )
  },
  TIME_LIMIT_MS,
)

test(
  "b: streams through a balancer have the same outcome whole and in pieces",
  async () => {
    const lane = await Lane.open()
    await tryMany(
      5000,
      (chance) => ({ fuzzer: "wire", ...makeWireStream(chance) }),
      (stream) => wireDivergence(stream, lane),
    )
    lane.close()
  },
  TIME_LIMIT_MS,
)

test(
  "c: between bad clients and bad backends nothing is lost, mixed up or left behind",
  async () => {
    const theatre = await Theatre.open()
    await tryMany(
      400,
      (chance, index) => ({ fuzzer: "proxy", round: makeRound(chance, index % 4 === 0) }),
      ({ round }) => theatre.play(round),
    )
    theatre.close()
  },
  TIME_LIMIT_MS,
)

describe("found before:", () => {
  test.each(keptCases())("%s", async (_name, kept) => {
    expect(await replayed(kept)).toBe(null)
  })
})

async function replayed(kept: Case): Promise<string | null> {
  switch (kept.fuzzer) {
    case "heads":
      return disagreement(kept, honest)
    case "streams":
      return divergence(kept, everyCut(kept.text), gather)
    case "wire": {
      const lane = await Lane.open()
      return wireDivergence(kept, lane)
    }
    case "proxy": {
      const theatre = await Theatre.open()
      return theatre.play(kept.round)
    }
  }
}

/** Cut in two before each byte, and into bytes. */
function everyCut(text: string): string[][] {
  const cuts = [...text].slice(1).map((_, at) => [text.slice(0, at + 1), text.slice(at + 1)])
  return [[...text], ...cuts]
}
