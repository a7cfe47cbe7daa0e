/**
 * The answer to a request that may go no further (RFC 9110 section 7.6.2): bunlb's own, and counted as such. Off the
 * hot path: only TRACE and OPTIONS with `Max-Forwards: 0` come here.
 */
import type { ClientStream } from "./client-stream.ts"
import type { Gateway } from "../core/gateway.ts"

/** Sends `answer`, of `lastHopAnswer`; the exchange has ended. */
export function sendLastHopAnswer(
  gateway: Gateway,
  client: ClientStream,
  answer: Buffer,
  keepAlive: boolean,
): void {
  gateway.figures.own.answered(200, 0)
  client.send(answer, 0, answer.length)
  client.record?.finish(200)
  client.exchangeDone(keepAlive)
}
