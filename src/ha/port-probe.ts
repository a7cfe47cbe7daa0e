/**
 * One connection to the port that clients use, only to see whether somebody listens there, and given up with a reset as
 * soon as it stands: it leaves nothing behind on either side.
 */
import { Outbound } from "../net/outbound.ts"
import type { DialFailure } from "../net/outbound.ts"

/** True: open; false: refused; null: neither, which says nothing. */
type PortVerdict = (open: boolean | null) => void

export class PortProbe extends Outbound {
  readonly #tell: PortVerdict

  constructor(connectMs: number, tell: PortVerdict) {
    super(null, { connect: connectMs, tlsHandshake: connectMs })
    this.#tell = tell
  }

  protected override opened(): void {
    this.abort()
    this.#tell(true)
  }

  protected override dialFailed({ reason }: DialFailure): void {
    this.#tell(reason === "connect refused" ? false : null)
  }

  override received(): void {}
  override drained(): void {}
  override ended(): void {}
  protected override closed(): void {}
  protected override late(): void {}
  override crashed(): void {}
}
