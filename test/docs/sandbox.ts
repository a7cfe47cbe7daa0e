/**
 * A place where commands of the pages can be typed as they stand: a folder with `bunlb` on the path, the files that
 * they name, two backends, and a bunlb that serves. Ports and folders are exchanged on the way in. Use `await using`.
 */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { testCertificate } from "../../src/demo/test-certificate.ts"
import { BunlbProcess, spawnBunlb } from "../support/processes.ts"
import { root } from "../support/source.ts"

/** As the pages call them. Nobody is there, and nobody asks: they are not probed. */
const backends = ["10.0.0.1:8080", "10.0.0.2:8080", "127.0.0.1:9001", "127.0.0.1:9002"]

const serving = ["-m", "sp", "-h", "127.0.0.1", "-p", "0", "--admin", "127.0.0.1:0"]

export class Sandbox implements AsyncDisposable {
  private constructor(
    readonly folder: string,
    readonly bunlb: BunlbProcess,
    readonly port: number,
    readonly adminPort: number,
  ) {}

  static async open(files: Readonly<Record<string, string>>): Promise<Sandbox> {
    const folder = mkdtempSync(join(tmpdir(), "bunlb-docs-"))
    for (const each of ["bin", "etc", "log"]) mkdirSync(join(folder, each))
    const program = join(folder, "bin/bunlb")
    writeFileSync(program, `#!/bin/sh\nexec "${process.execPath}" "${root}/src/main.ts" "$@"\n`)
    chmodSync(program, 0o755)
    writeFileSync(join(folder, "etc/ca.pem"), testCertificate)
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
    const flags = [
      ...backends.flatMap((each) => ["-b", each]),
      "--health-type",
      "none",
      "--connect-timeout",
      "50ms",
    ]
    const bunlb = spawnBunlb([...serving, ...flags], { cwd: folder })
    const [, port, admin] = await bunlb.line(/:(\d+) -> .* admin http:\S+:(\d+)$/)
    return new Sandbox(folder, bunlb, Number(port), Number(admin))
  }

  /** The command as it can be typed here: with a value for each word in capitals, without what is in brackets. */
  here(text: string): string {
    return text
      .replace(/^\.\/dist\/bunlb\b/, "bunlb")
      .replaceAll("/etc/bunlb/", `${this.folder}/etc/`)
      .replaceAll("/var/log/bunlb/", `${this.folder}/log/`)
      .replaceAll(/(-p |--port |BUNLB_PORT=)\d+/g, "$10")
      .replaceAll("127.0.0.1:9900", `127.0.0.1:${this.adminPort}`)
      .replaceAll(/(127\.0\.0\.1|localhost):(8080|80)\b/g, `127.0.0.1:${this.port}`)
      .replaceAll(/ ?\[[,-][^\]]*\]/g, "")
      .replaceAll(/\bFILE\b/g, "bunlb.yaml")
      .replaceAll(/\bHOST:PORT\b/g, "10.0.0.5:8080")
      .replace(/ remove BACKEND\b/, " remove 127.0.0.1:9002")
      .replaceAll(/\bBACKEND\b/g, "10.0.0.1:8080")
      .replaceAll(/\bN\b/g, "3")
  }

  /** Free ports, whatever file or flags say, unless a flag names another. */
  start(text: string): BunlbProcess {
    const own = { BUNLB_HOST: "127.0.0.1", BUNLB_PORT: "0", BUNLB_ADMIN: "127.0.0.1:0" }
    const quick = { BUNLB_MODE: "sp", BUNLB_HEALTH_TYPE: "none" }
    const command = this.here(text).replace(/((?:[A-Z_]+=(?:"[^"]*"|\S+) )*)(?=bunlb)/, "$1exec ")
    return this.#spawn(command, { ...own, ...quick })
  }

  /** Asks the bunlb that serves here. */
  ask(text: string): BunlbProcess {
    return this.#spawn(this.here(text), { BUNLB_ADMIN: `127.0.0.1:${this.adminPort}` })
  }

  #spawn(command: string, more: Readonly<Record<string, string>>): BunlbProcess {
    const env = { ...more, PATH: `${this.folder}/bin:${process.env["PATH"]}` }
    return new BunlbProcess(["sh", "-c", command], { cwd: this.folder, env })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.bunlb[Symbol.asyncDispose]()
    rmSync(this.folder, { recursive: true })
  }
}
