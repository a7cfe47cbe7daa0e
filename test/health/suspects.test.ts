/** What failed requests have in common, against a list of them that is looked at whole. */
import { expect, test } from "bun:test"
import { Suspects } from "../../src/health/suspects.ts"

const sent = (client: number, path: number) => ({ client, path, ticket: 0, sentAt: 0 })

test("every run of up to four failures by two clients for two paths", () => {
  const kinds = [0, 1].flatMap((client) => [0, 1].map((path) => sent(client, path)))
  const runsOf = (length: number): (typeof kinds)[] =>
    length === 0 ? [[]] : runsOf(length - 1).flatMap((run) => kinds.map((kind) => [...run, kind]))
  const runs = [0, 1, 2, 3, 4].flatMap(runsOf)
  expect(runs).toHaveLength(1 + 4 + 16 + 64 + 256)
  for (const run of runs) {
    const suspects = new Suspects()
    for (const each of run) suspects.add(each)
    const clients = new Set(run.map(({ client }) => client))
    const paths = new Set(run.map(({ path }) => path))
    expect(suspects.any).toBe(run.length > 0)
    expect(suspects.mixed).toBe(clients.size > 1 && paths.size > 1)
    for (const kind of kinds) {
      const isAlike =
        (clients.size > 1 || clients.has(kind.client)) && (paths.size > 1 || paths.has(kind.path))
      expect(suspects.match(kind)).toBe(run.length > 0 && !suspects.mixed && isAlike)
      const isClients = clients.size === 1 && clients.has(kind.client) && paths.size > 1
      expect(suspects.matchesClient(kind)).toBe(isClients)
    }
    const copy = new Suspects()
    copy.copy(suspects)
    expect(kinds.map((kind) => copy.match(kind))).toEqual(kinds.map((kind) => suspects.match(kind)))
    suspects.clear()
    expect([suspects.any, suspects.mixed, suspects.match(sent(0, 0))]).toEqual([
      false,
      false,
      false,
    ])
  }
})

test.each([
  [[sent(1, 1), sent(1, 1)], "one client and one path"],
  [[sent(1, 1), sent(1, 2)], "one client"],
  [[sent(1, 1), sent(2, 1)], "one path"],
  [[sent(1, 1), sent(2, 2)], "several clients and paths"],
])("in words: %j", (run, words) => {
  const suspects = new Suspects()
  for (const each of run) suspects.add(each)
  expect(String(suspects)).toBe(words)
})
