/** Which backends an answer of DNS stands for. */
import { expect, test } from "bun:test"
import type { BackendSettings } from "../../../src/config/schema/settings.ts"
import { type Place, membersOf } from "../../../src/master/control/members.ts"
import { testBackend } from "../settings.ts"

const web = testBackend("web", { discover: "dns", weight: 3, name: "dns+http://web:80", port: 80 })
const service = testBackend("srv+http://_http._tcp.web.test", {
  discover: "srv",
  host: "_http._tcp.web.test",
  port: 0,
})

const place = (ip: string, more: Partial<Place> = {}): Place => {
  return { ip, port: 80, weight: 0, priority: 0, ...more }
}

const shown = (members: readonly BackendSettings[]): string[] =>
  members.map(({ name, weight, backup }) => `${name} ${weight}${backup ? " backup" : ""}`)

test("each address is a backend with the name's settings, whatever the order of the answer", () => {
  const places = ["10.0.0.2", "10.0.0.1", "fd00::1", "10.0.0.2"].map((ip) => place(ip))
  const { members } = membersOf(web, places, 10, [])
  expect(shown(members)).toEqual(["[fd00::1]:80 3", "10.0.0.1:80 3", "10.0.0.2:80 3"])
  expect(membersOf(web, places.toReversed(), 10, []).members).toEqual(members)
  expect(members[1]).toEqual({
    ...testBackend("10.0.0.1:80", { weight: 3 }),
    member: { of: "dns+http://web:80", host: "web" },
  })
})

test("records tell ports and weights; all but the lowest priority are backups", () => {
  const places = [
    place("10.0.0.1", { port: 8081, weight: 10, priority: 5 }),
    place("10.0.0.2", { port: 8082, weight: 0, priority: 5 }),
    place("10.0.0.3", { port: 8083, weight: 7, priority: 9 }),
    // Once more, and less wanted.
    place("10.0.0.1", { port: 8081, weight: 99, priority: 9 }),
  ]
  const { members } = membersOf(service, places, 10, [])
  expect(shown(members)).toEqual(["10.0.0.1:8081 10", "10.0.0.2:8082 1", "10.0.0.3:8083 7 backup"])
  expect(members[0]?.member).toEqual({ of: service.name, host: "web.test" })
  const backups = membersOf({ ...service, backup: true }, places, 10, []).members
  expect(backups.every(({ backup }) => backup)).toBe(true)
})

test("weights beyond 1,000 keep their proportions", () => {
  const places = [65_535, 6_554, 1].map((weight, i) => place(`10.0.0.${i}`, { weight }))
  const { members } = membersOf(service, places, 10, [])
  expect(members.map(({ weight }) => weight)).toEqual([1_000, 100, 1])
})

test("beyond the limit those stay that were there", () => {
  const places = [1, 2, 3, 4, 5].map((i) => place(`10.0.0.${i}`))
  const before = membersOf(web, places.slice(3), 2, []).members
  expect(shown(before)).toEqual(["10.0.0.4:80 3", "10.0.0.5:80 3"])
  const { members, leftOut } = membersOf(web, places, 3, before)
  expect(members.map(({ name }) => name)).toEqual(["10.0.0.1:80", "10.0.0.4:80", "10.0.0.5:80"])
  expect(leftOut).toBe(2)
})
