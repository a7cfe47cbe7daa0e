/** The client connections of a worker, whatever their listener. */
import type { Gateway } from "../core/gateway.ts"
import type { ClientConnection } from "./client-connection.ts"

export class Clients {
  readonly all = new Set<ClientConnection>()
  /** Called when a client connection has closed. */
  onGone: (client: ClientConnection) => void = () => {}
  readonly #gateway: Gateway

  constructor(gateway: Gateway) {
    this.#gateway = gateway
  }

  get size(): number {
    return this.all.size
  }

  /** Returns the number of this connection among those of the process. */
  admit(client: ClientConnection): number {
    const { deadlines, figures } = this.#gateway
    deadlines.add(client)
    this.all.add(client)
    figures.clients++
    return ++figures.accepted
  }

  dismiss(client: ClientConnection): void {
    const { deadlines, figures } = this.#gateway
    deadlines.remove(client)
    this.all.delete(client)
    figures.clients--
  }
}
