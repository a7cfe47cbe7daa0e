/**
 * The pictures of README.md, taken of a bunlb that really runs: the dashboard as PNG, `bunlb status --watch` as SVG.
 *
 *   bun scripts/pictures.ts [--minutes 4] [--rate 150]
 *
 * Three backends on ports 9001 to 9003 and bunlb on 8080 serve a light load; one backend stutters, and is killed
 * shortly before the end. Needs chromium and those ports; writes docs/pictures/. Costs a few percent of a CPU.
 */
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { livePage } from "../src/cli/watch.ts"
import type { Line, Tone } from "../src/cli/screen.ts"
import type { Live } from "../src/master/figures/live.ts"
import { find } from "../test/matrix/programs.ts"
import { spawnBunlb } from "../test/support/processes.ts"

const folder = join(import.meta.dir, "../docs/pictures")
const metrics = { width: 1280, height: 400, deviceScaleFactor: 1, mobile: false }
const SETTLE_MS = 5_000
const DOWN_MS = 25_000

const tones: Readonly<Record<Tone, string>> = {
  plain: "",
  title: `font-weight="700" fill="#ffffff"`,
  head: `fill="#79c0ff"`,
  warn: `fill="#e3b341"`,
  bad: `fill="#ff7b72"`,
  faint: `fill="#8b949e"`,
}

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "4" },
    rate: { type: "string", default: "150" },
  },
})
const chromium = find("chromium")
if (chromium === null) {
  console.error("needs chromium: apt-get install chromium")
  process.exit(1)
}

const serving = [
  ["9001", "--delay", "2ms"],
  ["9002", "--delay", "3ms"],
  ["9003", "--delay", "4ms", "--fail-rate", "0.03"],
]
const backends = serving.map(([port = "", ...more]) =>
  spawnBunlb(["backend", "-p", port, "--name", `backend${port}`, ...more]),
)
for (const backend of backends) await backend.line(/listening/)
const flags = ["9001", "9002", "9003"].flatMap((port) => ["-b", `127.0.0.1:${port}`])
const bunlb = spawnBunlb(["-h", "127.0.0.1", "-w", "2", "--no-pin", ...flags])
await bunlb.line(/ -> 3 backends/)

const view = await openDashboard(chromium)
await Bun.sleep(SETTLE_MS)
const endsAt = Date.now() + Number(values.minutes) * 60_000
const load = keepAsking(Number(values.rate), () => Date.now() < endsAt)
await Bun.sleep(endsAt - Date.now() - DOWN_MS)
backends[2]?.kill("SIGKILL")
await Bun.sleep(DOWN_MS - 3_000)

mkdirSync(folder, { recursive: true })
const live = (await (await fetch("http://127.0.0.1:9900/api/v1/live")).json()) as Live
await Bun.write(join(folder, "status.svg"), terminal("bunlb status --watch", livePage(live, "")))
await Bun.write(join(folder, "dashboard.png"), await pictureOf(view))
await load
for (const each of [bunlb, ...backends]) each.kill("SIGKILL")
console.log(`written: ${folder}`)
process.exit(0)

/** In small bursts, a few of which are for pages that do not exist. */
async function keepAsking(rate: number, goesOn: () => boolean): Promise<void> {
  for (let turn = 0; goesOn(); turn++) {
    const swell = 1 + 0.5 * Math.sin(turn / 120)
    const burst = Math.round((rate / 10) * swell * (0.8 + 0.4 * Math.random()))
    const path = turn % 17 === 0 ? "status/404" : "bytes/2000"
    const ask = () => fetch(`http://127.0.0.1:8080/${path}`).then((response) => response.bytes())
    await Promise.all(Array.from({ length: burst }, () => ask().catch(() => null)))
    await Bun.sleep(100)
  }
}

/** Opened before the load begins, for the start of a browser is a load of its own. */
async function openDashboard(path: string): Promise<Bun.WebView> {
  const argv = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
  const view = new Bun.WebView({ backend: { type: "chrome", path, argv } })
  await view.navigate("http://127.0.0.1:9900/")
  await view.cdp("Emulation.setDeviceMetricsOverride", metrics)
  return view
}

async function pictureOf(view: Bun.WebView): Promise<Blob> {
  // A page that has just come fits its charts to what there is.
  await view.navigate("http://127.0.0.1:9900/")
  await Bun.sleep(1_500)
  const height = (await view.evaluate("document.documentElement.scrollHeight")) as number
  await view.cdp("Emulation.setDeviceMetricsOverride", { ...metrics, height })
  await Bun.sleep(1_500) // Charts are drawn anew after the layout.
  const picture = await view.screenshot()
  view.close()
  return picture
}

/** The page in a terminal's colours. */
function terminal(command: string, lines: readonly Line[]): string {
  const shown: readonly Line[] = [{ text: `$ ${command}`, tone: "faint" }, ...lines]
  const columns = Math.max(...shown.map(({ text }) => text.length))
  const [width, height] = [Math.ceil(columns * 7.83) + 32, shown.length * 19 + 28]
  const rows = shown.map(({ text, tone }, index) => {
    const style = tones[tone]
    const place = `x="16" y="${30 + index * 19}" xml:space="preserve"`
    return `<text ${place} ${style}>${escaped(text)}</text>`
  })
  const font = "ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, monospace"
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}">`,
    `<title>${escaped(command)}</title>`,
    `<rect width="${width}" height="${height}" rx="8" fill="#161b22"/>`,
    `<g font-family="${font}" font-size="13" fill="#d0d7de">`,
    ...rows,
    "</g></svg>\n",
  ].join("\n")
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").trimEnd()
}
