/** The socket of a service manager, as systemd holds it: unix datagrams, read without waiting. Use `using`. */
import { dlopen } from "bun:ffi"
import { libc, libraryNames, firstThatLoads } from "../../src/net/linux/libc.ts"
import { PATIENCE_MS, until } from "../support/until.ts"

const AF_UNIX = 1
const SOCK_DGRAM = 2
const MSG_DONTWAIT = 0x40

export class NotifySocket implements Disposable {
  readonly heard: string[] = []
  readonly #fd: number

  /** `@` in front makes the name abstract. */
  constructor(path: string) {
    const address = new TextEncoder().encode(`\x01\x00${path}${path.startsWith("@") ? "" : "\0"}`)
    if (path.startsWith("@")) address[2] = 0
    const { symbols } = firstThatLoads(libraryNames(process.platform, process.arch), (name) =>
      dlopen(name, { bind: { args: ["i32", "ptr", "u32"], returns: "i32" } }),
    )
    this.#fd = libc().socket(AF_UNIX, SOCK_DGRAM, 0)
    if (symbols.bind(this.#fd, address, address.length) !== 0) throw new Error(`no ${path}`)
  }

  /** Waits until a datagram that holds `line` has come. */
  async line(line: string): Promise<void> {
    const came = (): boolean => {
      this.#read()
      return this.heard.some((each) => each.split("\n").includes(line))
    }
    await until(came, PATIENCE_MS, `${line} in ${JSON.stringify(this.heard)}`)
  }

  #read(): void {
    const buffer = new Uint8Array(4096)
    for (;;) {
      const length = libc().recv(this.#fd, buffer, buffer.length, MSG_DONTWAIT)
      if (length < 0) return
      this.heard.push(new TextDecoder().decode(buffer.subarray(0, length)))
    }
  }

  [Symbol.dispose](): void {
    libc().close(this.#fd)
  }
}
