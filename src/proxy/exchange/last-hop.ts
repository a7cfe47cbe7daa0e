/**
 * The answer to a request that may go no further (RFC 9110 section 7.6.2): bunlb's own, and counted as such. Off the
 * hot path: only TRACE and OPTIONS with `Max-Forwards: 0` come here.
 */
import { lastHopAnswer } from "../../http/max-forwards.ts"
import type { ClientStream } from "./client-stream.ts"
import type { Gateway } from "../gateway.ts"

/** `bytes` hold the head whose facts are in the gateway; its exchange has ended. */
export function answerAsLastHop(
  gateway: Gateway,
  client: ClientStream,
  bytes: Buffer,
  keepAlive: boolean,
): void {
  const answer = lastHopAnswer(bytes, gateway.request, !keepAlive)
  gateway.figures.own.answered(200, 0)
  client.send(answer, 0, answer.length)
  client.record?.finish(200)
  client.exchangeDone(keepAlive)
}
