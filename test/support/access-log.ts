/** An access log in a file of its own, and its lines as a test reads them. Use `using`. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { PATIENCE_MS, until } from "./until.ts"

export type LoggedLine = Readonly<Record<string, unknown>>

export class AccessLogFile {
  readonly folder = mkdtempSync(join(tmpdir(), "bunlb-access-"))
  readonly path = join(this.folder, "access.log")

  /** All lines, when there are `count`. */
  async text(count: number, path: string = this.path): Promise<readonly string[]> {
    const read = (): string[] =>
      existsSync(path) ? readFileSync(path, "utf8").split("\n").slice(0, -1) : []
    await until(() => read().length >= count, PATIENCE_MS, `${count} lines in the access log`)
    return read()
  }

  async lines(count: number, path?: string): Promise<readonly LoggedLine[]> {
    return (await this.text(count, path)).map((line) => JSON.parse(line) as LoggedLine)
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true })
  }
}
