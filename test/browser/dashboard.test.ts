/**
 * The dashboard in a real Chromium: what it shows, that it follows, that no name becomes markup, that it fits a
 * phone and can be used without a mouse. Pictures of it go to the folder that BUNLB_SCREENSHOTS names.
 */
import { afterAll, describe, expect } from "bun:test"
import { RunningBackend, RunningBunlb } from "../e2e/running-bunlb.ts"
import { find, testWith } from "../matrix/programs.ts"
import type { BackendStatus } from "../../src/master/figures/status.ts"
import { PATIENCE_MS, until } from "../support/until.ts"
import { Page, pictures } from "./page.ts"
import { backend, evening, rates } from "./picture.ts"
import type { Picture } from "./picture.ts"

const BROWSER_MS = 20_000
const TOKEN = "0123456789abcdef"
const evil = `"><img src=x onerror="window.hacked=1"><b class=evil>`

afterAll(() => Bun.WebView.closeAll())

type States = readonly BackendStatus["state"][]

type Tone = "good" | "warn" | "bad"

/** Name, backends, share of 5xx, tone, text, share of responses that are cut short. */
const headlines: readonly (readonly [string, States, number, Tone, string, number?])[] = [
  ["well", ["up", "up"], 0.002, "good", "all 2 backends up"],
  ["errors", ["up", "up"], 0.2, "bad", "20% of answers are 5xx"],
  ["some-errors", ["up", "up"], 0.02, "warn", "2.0% of answers are 5xx"],
  ["errors-and-one-down", ["up", "up", "down"], 0.4, "bad", "40% of answers are 5xx"],
  ["cuts", ["up", "up"], 0, "bad", "20% of answers are cut short", 0.2],
  ["errors-and-cuts", ["up", "up"], 0.02, "warn", "3.0% of answers are 5xx or cut short", 0.01],
  ["disabled", ["disabled", "disabled"], 0, "bad", "no usable backend: all are out by hand"],
  ["draining", ["draining", "disabled"], 0, "bad", "no usable backend: all are out by hand"],
  ["down", ["down", "down"], 0.9, "bad", "no usable backend: all are down"],
  ["mixed", ["down", "disabled"], 0, "bad", "no usable backend: some are out by hand"],
  ["few-left", ["down", "down", "disabled", "up"], 0, "bad", "only 1 of 4 backends usable"],
  ["one-down", ["up", "up", "down"], 0, "warn", "1 of 3 backends down"],
  ["none", [], 0, "bad", "no backend is known"],
]

describe("the dashboard", () => {
  const browserTest = testWith("chromium")
  if (find("chromium") !== null) console.error(`screenshots of the dashboard: ${pictures}`)

  browserTest(
    "shows backends, workers, figures, charts and what happened, from here alone",
    async () => {
      await using page = await Page.open()
      const cells = `[...document.querySelectorAll("#backends tr")].map((row) =>
        [...row.children].map((cell) => cell.textContent))`
      const rows = await page.ask<string[][]>(cells)
      expect(rows).toHaveLength(6)
      expect(rows[2]).toEqual([
        ...[
          "10.0.0.12:8080",
          expect.stringMatching(/^degraded for 1 of 4 workersfor 4\ds · 3 fail/),
        ],
        ...["431", "1.8 ms", "210 ms", "12", "17", "12", "14", "57", "99%", "1", ""],
      ])
      expect(rows[4]?.[0]).toBe("api.example.com:443TLS")
      await page.says("#health", "1 of 5 backends down")
      await page.says("#figures", "2,841/s")
      await page.says("#journal li:first-child", "backend 10.0.0.11:8080 is healthy again")
      const paths = (id: string) =>
        page.ask<number>(`document.querySelectorAll("${id} path").length`)
      expect([await paths("#traffic"), await paths("#latency")]).toEqual([5, 2])
      const others = `performance.getEntriesByType("resource").map(({ name }) => name)
        .filter((name) => !name.startsWith(location.origin) && !name.startsWith("data:"))`
      expect(await page.ask<string[]>(others)).toEqual([])
    },
    BROWSER_MS,
  )

  browserTest(
    "takes names, reasons and news as text, and runs no script but its own",
    async () => {
      const row = [backend(evil, { reason: evil, addresses: [evil] }), rates(1)] as const
      const journal = [{ id: 1, at: Date.now(), kind: "bad", text: evil }] as const
      await using page = await Page.open({ backends: [row], journal })
      await page.says("#backends .name", evil)
      await page.says("#backends .why", evil)
      await page.says("#journal", evil)
      expect(await page.ask(`document.querySelectorAll("img, b.evil, main script").length`)).toBe(0)
      await page.ask(`document.body.insertAdjacentHTML("beforeend", ${JSON.stringify(evil)})`)
      await page.ask(`(() => {
        const script = document.createElement("script")
        script.textContent = "window.hacked = 2"
        document.body.append(script)
      })()`)
      await Bun.sleep(100) // For the error of the image, which the policy forbids to be heard.
      expect(await page.ask(`String(window.hacked)`)).toBe("undefined")
    },
    BROWSER_MS,
  )

  browserTest(
    "follows what changes, in the same rows, and shows buttons only where they work",
    async () => {
      const picture: Picture = { backends: [[backend("a:80"), rates(1)]], journal: [] }
      await using page = await Page.open(picture)
      await page.says("#health", "backend up")
      await page.ask(`window.row = document.querySelector("#backends tbody tr")`)
      picture.backends = [
        [backend("b:80"), rates(5)],
        [backend("a:80", { state: "down", reason: "3 failures, last: timeout" }), rates(0)],
      ]
      picture.journal = [{ id: 1, at: Date.now(), kind: "bad", text: "a:80 is unhealthy" }]
      await page.says("#backends tbody tr:nth-child(2) .word", "down")
      await page.says("#journal", "a:80 is unhealthy")
      expect(await page.ask("document.title")).toBe("1 of 2 backends down · bunlb")
      expect(await page.ask(`row === document.querySelectorAll("#backends tbody tr")[1]`)).toBe(
        true,
      )
      expect(await page.ask(`document.querySelectorAll("#backends button").length`)).toBe(0)
      picture.backends = picture.backends.slice(0, 1)
      await until(() => page.ask("!row.isConnected"), PATIENCE_MS, "the row's end")
    },
    BROWSER_MS,
  )

  browserTest(
    "drains a backend of a real bunlb and puts it back to work, with the token that it asks for",
    async () => {
      await using one = await RunningBackend.start("one")
      await using two = await RunningBackend.start("two")
      await using bunlb = await RunningBunlb.start([one, two], ["--admin-token", TOKEN])
      await using page = await Page.visit(bunlb.adminPort)
      const row = "#backends tbody tr:nth-child(1)"
      await page.says(`${row} button`, "Drain")
      await page.ask("window.confirm = () => true")
      const click = (selector: string) => page.ask(`document.querySelector("${selector}").click()`)
      await click(`${row} button`)
      await until(() => page.ask(`document.querySelector("dialog").open`), PATIENCE_MS, "dialog")
      await page.ask(`document.querySelector("#token").value = ${JSON.stringify(TOKEN)}`)
      await click("#go")
      await page.says(`${row} .word`, "draining")
      await page.says("#journal", "draining, by hand")
      await page.says("#health", "1 of 2 backends out by hand")
      await page.says(`${row} button`, "Enable")
      await click(`${row} button`)
      await page.says(`${row} .word`, "up")
      await page.says("#journal", "enabled, by hand")
    },
    BROWSER_MS,
  )

  browserTest(
    "shows backends below their pool when there is more than one, and goes back to one list",
    async () => {
      const member = (pool: string, address: string, more: Partial<BackendStatus> = {}) => {
        const name = pool === "default" ? address : `${pool}/${address}`
        return [backend(name, { pool, ...more }), rates(10)] as const
      }
      const web = member("default", "web:80")
      const picture: Picture = { backends: [web], journal: [] }
      picture.backends = [web, member("api", "a:80"), member("api", "b:80", { state: "down" })]
      await using page = await Page.open(picture)
      await page.says("#backends", "api 1 of 2 up · 20/s · round_robin, listener api")
      const names = `[...document.querySelectorAll("#backends tbody th .name")]
        .map((name) => name.textContent)`
      expect(await page.ask<string[]>(names)).toEqual(["default", "web:80", "api", "a:80", "b:80"])
      await page.says("#health", "1 of 3 backends down")
      for (const width of [1440, 390] as const) {
        await page.size(width, 900, "light")
        const wanted = await page.ask<number>("document.documentElement.scrollWidth")
        expect(wanted).toBeLessThanOrEqual(width)
        await page.keep(`pools-${width}`)
        await page.size(width, 900, "dark")
        await page.keep(`pools-${width}-dark`)
      }
      picture.backends = [web, member("api", "a:80", { state: "down" })]
      await page.says("#health", "pool api has no usable backend")
      picture.backends = [member("api", "a:80")]
      await page.says("#health", "backend up")
      expect(await page.ask<string[]>(names)).toEqual(["api/a:80"])
    },
    BROWSER_MS,
  )

  for (const [name, states, errorShare, tone, text, cutShare = 0] of headlines) {
    browserTest(
      `its headline is what clients feel: ${name}`,
      async () => {
        const backends = states.map(
          (state, i) => [backend(`${"abcd"[i]}:80`, { state }), rates(1)] as const,
        )
        await using page = await Page.open({ backends, journal: [], errorShare, cutShare })
        await page.says("#health", text)
        expect(await page.ask(`document.querySelector("#health").className`)).toBe(`pill ${tone}`)
        await page.keep(`headline-${name}`)
        await page.size(320, 640, "light")
        const wanted = await page.ask<number>("document.documentElement.scrollWidth")
        expect(wanted).toBeLessThanOrEqual(320)
        await page.keep(`headline-${name}-narrow`)
      },
      BROWSER_MS,
    )
  }

  browserTest(
    "shows no colour of old figures: when bunlb hangs, and when it is gone",
    async () => {
      const picture = evening()
      await using page = await Page.open(picture)
      const isGrey = async (): Promise<boolean> =>
        (await page.ask(`document.body.classList.contains("stale") &&
          document.querySelector("#health").className === "pill" &&
          getComputedStyle(document.querySelector("main")).filter === "grayscale(1)"`)) === true
      for (const trouble of ["hangs", "gone"] as const) {
        expect(await isGrey()).toBe(false)
        if (trouble === "hangs") picture.hangs = true
        else await page.loseBunlb()
        await until(isGrey, 2 * PATIENCE_MS, "grey")
        await page.says("#health", "no data since ")
        await page.says("#link", "no data for ")
        expect(await page.ask("document.title")).toBe("no data · bunlb")
        await page.keep(`stale-${trouble}`)
        if (trouble === "hangs") picture.hangs = false
        else await page.startBunlbAgain()
        await until(async () => !(await isGrey()), 2 * PATIENCE_MS, "colours")
        await page.says("#health", "1 of 5 backends down")
      }
    },
    3 * BROWSER_MS,
  )

  browserTest(
    "says when bunlb is gone, and goes on when it is back",
    async () => {
      await using page = await Page.open()
      await page.loseBunlb()
      await page.says("#link", "connection lost")
      await page.startBunlbAgain()
      const back = async (): Promise<boolean> =>
        (await page.ask(`document.querySelector("#link").textContent`)) === "live"
      await until(back, 2 * PATIENCE_MS, "live again")
      expect(await page.ask(`document.querySelectorAll("#journal li").length`)).toBe(3)
    },
    BROWSER_MS,
  )

  browserTest(
    "fits a desk and a phone, by day and by night",
    async () => {
      await using page = await Page.open()
      const colours = new Set<string>()
      for (const [name, width, height] of [
        ["desk", 1440, 1080],
        ["tablet", 820, 1180],
        ["phone", 390, 844],
        ["narrow", 320, 640],
      ] as const) {
        for (const scheme of ["light", "dark"] as const) {
          await page.size(width, height, scheme)
          const wanted = await page.ask<number>("document.documentElement.scrollWidth")
          expect(wanted, name).toBeLessThanOrEqual(width)
          colours.add(await page.ask<string>("getComputedStyle(document.body).backgroundColor"))
          await page.keep(`${name}-${scheme}`)
        }
      }
      expect(colours.size).toBe(2)
    },
    BROWSER_MS,
  )

  browserTest(
    "can be read and used without a mouse and without eyes",
    async () => {
      await using page = await Page.open()
      await page.ask(`document.querySelector("#latency svg").focus()`)
      await page.ask(`document.activeElement.dispatchEvent(
        new KeyboardEvent("keydown", { key: "ArrowLeft", bubbles: true, cancelable: true }))`)
      await page.says("#readout", ": p50 ")
      expect(await page.ask(`document.querySelector("#latency .tip").hidden`)).toBe(false)
      const { nodes } = await page.view.cdp<{ nodes: AxNode[] }>("Accessibility.getFullAXTree")
      const named = nodes.map(({ role, name }) => `${role?.value}: ${name?.value ?? ""}`)
      for (const wanted of [
        ...["table: Backends", "table: Workers", "log: What happened", "heading: Traffic"],
        ...["columnheader: Requests/s", "rowheader: 10.0.0.11:8080"],
      ]) {
        expect(named).toContain(wanted)
      }
      const charts = named.filter((each) => /^image: .*; now .* Arrow keys read it\.$/.test(each))
      expect(charts).toHaveLength(2)
      // The same on a phone, where the cells are no longer laid out as a table.
      await page.size(390, 844, "light")
      const phone = await page.view.cdp<{ nodes: AxNode[] }>("Accessibility.getFullAXTree")
      expect(phone.nodes.filter(({ role }) => role?.value === "columnheader")).toHaveLength(20)
    },
    BROWSER_MS,
  )
})

interface AxNode {
  readonly role?: { readonly value: string }
  readonly name?: { readonly value: string }
}
