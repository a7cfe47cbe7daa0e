/** Images, made by buildah and kept in a folder of their own: no daemon, no registry, no trace on the machine. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { atEnd } from "../../support/at-end.ts"

/** What the engines read of an image, as the Docker format has it. */
export interface ImageConfig {
  readonly User: string
  readonly Env?: readonly string[]
  readonly Entrypoint: readonly string[]
  readonly ExposedPorts: Readonly<Record<string, object>>
  readonly StopSignal: string
  readonly WorkingDir: string
  readonly Labels: Readonly<Record<string, string>>
  readonly Healthcheck: {
    readonly Test: readonly string[]
    /** Nanoseconds, as all of them. */
    readonly Interval: number
    readonly Timeout: number
    readonly Retries: number
  }
}

/** Use `using`: the folder goes with it. */
export class ImageStore implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "bunlb-images-"))
  readonly #remove = (): void => rmSync(this.folder, { recursive: true, force: true })
  readonly #forget = atEnd(this.#remove)

  /** A folder with a Containerfile becomes an image. */
  async make(tag: string, folder: string, args: readonly string[] = []): Promise<void> {
    await this.#buildah(
      ...["bud", "--quiet", "--isolation", "chroot", "--pull-never", "--format", "docker"],
      ...[...args, "--tag", tag, folder],
    )
  }

  async config(tag: string): Promise<ImageConfig> {
    const { Docker } = JSON.parse(await this.#buildah("inspect", "--type", "image", tag)) as {
      readonly Docker: { readonly config: ImageConfig }
    }
    return Docker.config
  }

  /** A folder with the image's files, to be the root of containers. */
  async unpack(tag: string): Promise<string> {
    const container = (await this.#buildah("from", "--pull-never", tag)).trim()
    return (await this.#buildah("mount", container)).trim()
  }

  [Symbol.dispose](): void {
    this.#forget()
    this.#remove()
  }

  async #buildah(...words: readonly string[]): Promise<string> {
    const places = ["--root", join(this.folder, "storage"), "--runroot", join(this.folder, "run")]
    const buildah = Bun.spawn(["buildah", "--storage-driver", "vfs", ...places, ...words], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`, TMPDIR: this.folder },
    })
    const [said, complained] = await Promise.all([buildah.stdout.text(), buildah.stderr.text()])
    if ((await buildah.exited) !== 0) throw new Error(`buildah ${words[0]}: ${said}${complained}`)
    return said
  }
}
