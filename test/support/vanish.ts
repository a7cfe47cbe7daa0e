/** Peers that vanish without a word: the kernel drops every packet to them, and nothing is answered. On Linux alone. */
import { dropByHopCount } from "../../src/net/linux/syn-filter.ts"
import { connectionsOf, dropNewConnectionsTo } from "./port-sockets.ts"

/** This Bun socket hears nothing from now on. */
export function vanish(socket: unknown): void {
  dropByHopCount((socket as { readonly fd: number }).fd)
}

/** The whole server at `port` of this process: its connections, and who would connect. */
export function vanishAt(port: number): void {
  for (const fd of connectionsOf(port)) dropByHopCount(fd)
  dropNewConnectionsTo(port)
}
