/**
 * Watches whether a client reads what is sent to it. A slow one is known by what it has acknowledged, not by whether
 * its socket is writable: that takes a third of the send buffer, minutes at 15 KB/s.
 *
 * Cost: while bytes wait for a client, one look at the kernel in a quarter of `timeouts.client_read`.
 */
import { LOOKS } from "../../net/outbox.ts"
import type { Figures } from "../../observe/figures.ts"
import type { ClientConnection } from "./client-connection.ts"

/** Bytes begin to wait for the client, or it has just taken some. */
export function watchReading(client: ClientConnection): void {
  client.outbox.renew()
  client.within(client.listener.timeouts.clientRead / LOOKS)
}

/** The client has taken nothing until its deadline: a slow one gets another, one that has stopped reading is cut. */
export function judgeReading(client: ClientConnection, figures: Figures): void {
  if (client.outbox.moves(client.fd)) client.within(client.listener.timeouts.clientRead / LOOKS)
  else cutReader(client, figures)
}

/** The client has acknowledged nothing for `timeouts.client_read`. */
export function cutReader(client: ClientConnection, figures: Figures): void {
  figures.undelivered.client_read++
  client.cut("c", "the client stopped reading the response")
}
