/** The dashboard of some bunlb, open in a real Chromium. */
import { tmpdir } from "node:os"
import { join } from "node:path"
import { startAdmin } from "../../src/admin/server.ts"
import type { AdminListener } from "../../src/admin/server.ts"
import { find } from "../matrix/programs.ts"
import { PATIENCE_MS, until } from "../support/until.ts"
import { evening, sourceOf } from "./picture.ts"
import type { Picture } from "./picture.ts"

/** The folder of the pictures that `keep` takes. */
export const pictures = process.env.BUNLB_SCREENSHOTS ?? join(tmpdir(), "bunlb-screenshots")

export class Page implements AsyncDisposable {
  private constructor(
    readonly view: Bun.WebView,
    readonly picture: Picture,
    private admin: AdminListener | null,
  ) {}

  static async open(picture: Picture = evening()): Promise<Page> {
    const admin = await startAdmin({ host: "127.0.0.1", port: 0 }, sourceOf(picture))
    const page = await Page.visit(admin.port ?? 0, picture, admin)
    await page.says("#backends", picture.backends[0]?.[0].name ?? "")
    return page
  }

  /** The page of whatever bunlb listens there. */
  static async visit(
    port: number,
    picture: Picture = evening(),
    admin: AdminListener | null = null,
  ): Promise<Page> {
    const argv = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    const path = find("chromium") ?? ""
    const view = new Bun.WebView({ backend: { type: "chrome", path, argv } })
    await view.navigate(`http://127.0.0.1:${port}/`)
    const page = new Page(view, picture, admin)
    await page.says("#link", "live")
    return page
  }

  /** The value of an expression in the page. */
  ask<T>(expression: string): Promise<T> {
    return this.view.evaluate(expression) as Promise<T>
  }

  async says(selector: string, text: string): Promise<void> {
    const expression = `document.querySelector(${JSON.stringify(selector)})?.textContent ?? ""`
    const said = async (): Promise<boolean> => (await this.ask<string>(expression)).includes(text)
    await until(said, PATIENCE_MS, `${selector} to say ${text}`)
  }

  async size(width: number, height: number, scheme: "light" | "dark"): Promise<void> {
    const metrics = { width, height, deviceScaleFactor: 1, mobile: width < 500 }
    await this.view.cdp("Emulation.setDeviceMetricsOverride", metrics)
    const features = [{ name: "prefers-color-scheme", value: scheme }]
    await this.view.cdp("Emulation.setEmulatedMedia", { features })
    await until(() => this.ask(`innerWidth === ${width}`), PATIENCE_MS, "the new size")
    // The charts are drawn anew after the layout.
    await this.ask("new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn, 50)))")
  }

  async keep(name: string): Promise<void> {
    await Bun.write(join(pictures, `${name}.png`), await this.view.screenshot())
  }

  async loseBunlb(): Promise<void> {
    await this.admin?.stop()
  }

  async startBunlbAgain(): Promise<void> {
    const address = { host: "127.0.0.1", port: this.admin?.port ?? 0 }
    this.admin = await startAdmin(address, sourceOf(this.picture))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.view.close()
    await this.admin?.stop()
  }
}
