/** What a worker says of its backends: all of it, once, in small pieces, whoever leaves and comes back meanwhile. */
import { expect, test } from "bun:test"
import { WorkerService } from "../../src/master/supervise/worker-service.ts"
import type { FromWorker } from "../../src/master/supervise/protocol.ts"
import { BackendTable } from "../../src/master/figures/backend-table.ts"
import { CELL, REQUESTS, type SeriesChunk } from "../../src/observe/backend-series.ts"
import { openListeners } from "../../src/net/listeners.ts"
import { startWorker } from "../../src/worker/worker.ts"
import { TestBalancer } from "../support/balancer.ts"
import { RawClient } from "../support/raw-client.ts"
import { ScriptedBackend, answering } from "../support/scripted-backend.ts"
import { PATIENCE_MS, until } from "../support/until.ts"

const MOST_FACTS = 64 + 8
const MOST_CELLS = 1_024 + 8 * 100

/** Backends that nobody listens at. */
const many = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => ({
    port: 9,
    host: `127.1.${(from + i) >> 8}.${(from + i) & 255}`,
  }))

function pass(balancer: TestBalancer, budgetMs?: number): SeriesChunk[] {
  const pieces: SeriesChunk[] = []
  balancer.series.begin()
  for (;;) {
    const piece = balancer.series.next(budgetMs)
    if (piece === null) return pieces
    pieces.push(piece)
  }
}

test("no total falls when a backend leaves, comes back, or begins anew under its name", async () => {
  using a = await ScriptedBackend.start(answering(() => "a"))
  using b = await ScriptedBackend.start(answering(() => "b"))
  const balancer = await TestBalancer.start([a.port, b.port])
  const ask = async (count: number): Promise<void> => {
    const client = await RawClient.connect(balancer.port)
    for (let i = 0; i < count; i++) await client.exchange("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await client.close()
  }
  const totals = () => [
    balancer.figure("bunlb_requests_total"),
    balancer.figure("bunlb_dials_total"),
  ]
  const rowOf = (port: number) =>
    balancer.report().backends.find(({ name }) => name === `127.0.0.1:${port}`)
  await ask(8)
  expect(totals()).toEqual([8, 2])
  await balancer.apply([b.port])
  await until(() => rowOf(a.port) === undefined, PATIENCE_MS, "the removed one to be done")
  expect(totals()).toEqual([8, 2])
  expect(balancer.report().samples["bunlb_backend_up"]).toEqual({
    [`backend="127.0.0.1:${b.port}"`]: 1,
  })
  await balancer.apply([a.port, b.port])
  await ask(2)
  expect(totals()).toEqual([10, 3])
  expect(rowOf(a.port)?.requests).toBe(5)
  // The same name with TLS is another backend that has the figures of both, once.
  await balancer.apply([{ port: a.port, tls: true }, b.port])
  await balancer.apply([a.port, b.port])
  await until(() => totals()[0] === 10, PATIENCE_MS, "the figures of one")
  await ask(2)
  expect(totals()[0]).toBe(12)
})

test("a thousand backends are told in small pieces, and then only what changes", async () => {
  using busy = await ScriptedBackend.start(answering(() => "a"))
  const balancer = await TestBalancer.start([busy.port, ...many(999)])
  const first = pass(balancer)
  expect(first.length).toBeGreaterThan(10)
  expect(first.flatMap(({ facts }) => facts)).toHaveLength(1_000)
  for (const { facts } of first) expect(facts.length).toBeLessThanOrEqual(MOST_FACTS)
  const client = await RawClient.connect(balancer.port)
  // Round robin: the first one comes first.
  await client.exchange("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
  const second = pass(balancer, 1_000)
  expect(second.flatMap(({ facts }) => facts)).toEqual([])
  const told = second.flatMap(({ cells }) => [...cells])
  expect(told.length).toBeGreaterThan(0)
  expect(told.length / CELL).toBeLessThan(12)
  const rows = new Set(told.filter((_, i) => i % CELL === 0))
  expect([...rows]).toEqual([0])
  expect(pass(balancer, 1_000).flatMap(({ cells }) => [...cells])).toEqual([])
  // A budget that is used up at once still makes progress.
  expect(pass(balancer, 0).length).toBeGreaterThan(100)
  await client.close()
})

test("hundreds that leave at once are told in small pieces too, and their rows are used again", async () => {
  const balancer = await TestBalancer.start(many(600))
  const table = new BackendTable()
  for (const piece of pass(balancer)) table.apply(0, piece)
  await balancer.applyUnread(many(1))
  await balancer.applyUnread(many(600, 1_000))
  const pieces = pass(balancer)
  for (const { facts, cells, gone } of pieces) {
    expect(Math.max(facts.length, gone.length)).toBeLessThanOrEqual(MOST_FACTS)
    expect(cells.length / CELL).toBeLessThanOrEqual(MOST_CELLS)
  }
  for (const piece of pieces) table.apply(0, piece)
  const there = table.all.filter(({ views }) => views.length > 0).map(({ name }) => name)
  expect(there.toSorted()).toEqual(
    many(600, 1_000)
      .map(({ host }) => `${host}:9`)
      .toSorted(),
  )
})

const given = { id: 0, queue: "own", waits: false } as const

/** A worker behind its protocol, with so many backends. */
async function service(count: number) {
  const messages: FromWorker[] = []
  const { settings } = await TestBalancer.start(many(count))
  const { fds } = openListeners("127.0.0.1", 0, 1)
  const ended = Promise.withResolvers<void>()
  const worker = new WorkerService({
    ...{ index: 0, start: startWorker },
    descriptors: { first: () => fds[0] ?? -1, next: () => -1 },
    send: (message) => void messages.push(message),
    end: ended.resolve,
  })
  worker.receive({
    type: "init",
    settings,
    heartbeatMs: 5,
    listeners: settings.listeners.map((own) => ({ ...given, settings: own })),
    ailing: [],
    authorities: [],
  })
  const of = <Type extends FromWorker["type"]>(type: Type) =>
    messages.filter((each): each is Extract<FromWorker, { type: Type }> => each.type === type)
  return { worker, messages, of }
}

test("a heartbeat is the same few numbers however many backends there are", async () => {
  const sizes: number[] = []
  for (const count of [2, 1_000]) {
    const { worker, of } = await service(count)
    await until(() => of("heartbeat").length > 3, PATIENCE_MS, "heartbeats")
    expect(of("series")).toEqual([])
    expect(of("heartbeat")[0]).toEqual({ type: "heartbeat", clients: 0, inFlight: 0 })
    worker.receive({ type: "report", question: 7 })
    await until(() => of("report").length > 0, PATIENCE_MS, "the report")
    expect(of("report")[0]?.answers).toEqual([7])
    sizes.push(Object.keys(of("report")[0]?.report.samples ?? {}).length)
    expect(of("series").flatMap(({ chunk }) => chunk.facts)).toHaveLength(count)
    worker.receive({ type: "stop" })
  }
  expect(sizes[0]).toBe(sizes[1])
})

test("who asks while the backends are being told gets figures of its own time", async () => {
  const { worker, messages, of } = await service(300)
  await until(() => of("ready").length > 0, PATIENCE_MS, "the worker")
  worker.receive({ type: "report", question: 1 })
  worker.receive({ type: "report", question: 2 })
  worker.receive({ type: "report", question: 3 })
  await until(() => of("report").length === 2, PATIENCE_MS, "two reports")
  expect(of("report").map(({ answers }) => answers)).toEqual([[1], [2, 3]])
  const kinds = messages.map(({ type }) => type).filter((type) => type !== "heartbeat")
  expect(kinds.slice(2, -2).every((type) => type === "series")).toBe(true)
  worker.receive({ type: "stop" })
})

test("the last word of a worker that drains is complete", async () => {
  const { worker, messages, of } = await service(100)
  await until(() => of("ready").length > 0, PATIENCE_MS, "the worker")
  worker.receive({ type: "drain", limitMs: 10, succeeded: [] })
  await until(() => of("drained").length > 0, PATIENCE_MS, "the end")
  const types = messages.map(({ type }) => type)
  // A heartbeat may still follow.
  expect(types.lastIndexOf("series")).toBeLessThan(types.indexOf("drained"))
  const table = new BackendTable()
  for (const { chunk } of of("series")) table.apply(0, chunk)
  expect(table.all).toHaveLength(100)
  expect(table.all.every(({ numbers }) => numbers[REQUESTS] === 0)).toBe(true)
  worker.receive({ type: "stop" })
})

test("one that begins anew in the middle of a pass is not told as it was before", async () => {
  const others = many(30)
  const balancer = await TestBalancer.start([...others, { port: 9, tls: false }])
  pass(balancer)
  balancer.series.begin()
  balancer.series.next(0)
  await balancer.applyUnread([...others, { port: 9, tls: true }])
  // Whoever has its place now is not taken for it either.
  await balancer.applyUnread([...others, { port: 9, tls: true }, ...many(1, 100)])
  const facts: SeriesChunk["facts"][number][] = []
  for (let piece = balancer.series.next(0); piece !== null; piece = balancer.series.next(0)) {
    facts.push(...piece.facts)
  }
  facts.push(...pass(balancer).flatMap((piece) => piece.facts))
  const renewed = facts.filter(({ name }) => name === "127.0.0.1:9")
  expect(renewed.map(({ tls, draining }) => [tls, draining])).toEqual([[true, false]])
})
