/**
 * Counts the connections of a worker to all its backends, and keeps them within what the descriptors allow: before a
 * new one is opened, an idle one is closed.
 */
export class BackendBudget {
  /** Open connections. Counted by them. */
  open = 0
  /** As many as the descriptors allow. Set by the worker. */
  limit = Infinity
  /** Connections that send the last bytes of tunnels whose clients have closed in good order. */
  finishing = 0
  /** Closes an idle connection. Set by the worker, which knows all pools. */
  retireIdle: () => void = () => {}

  /** Before a dial. */
  makeRoom(): void {
    if (this.open >= this.limit) this.retireIdle()
  }
}
