/**
 * Which backend gets a request first: the strategy's choice, unless a backend waits for a trial request and this one
 * will do, or requests like this one fail on the chosen backend and not others.
 *
 * Cost: one compare beside the strategy's own while all is well.
 */
import { NO_TOKEN, type Candidate } from "../../balance/strategy.ts"
import type { SentRequest } from "../../health/suspects.ts"
import type { Pool } from "../backend/pool.ts"
import type { RequestRelay } from "./request-relay.ts"

type Choosers = Pick<Pool, "board" | "roster">

/** What counts of a request. */
type ChosenFor = SentRequest & Pick<RequestRelay, "token" | "idempotent" | "done" | "binds">

/** So often the strategy is asked for another backend than those that fail such requests. */
const CHOICES = 8

/** The backend for a request that has just come, or null when none may serve. */
export function chooseBackend(pool: Choosers, request: ChosenFor): Candidate | null {
  const { board, roster } = pool
  const picked = roster.pick(request.token)
  if (board.calm || picked === null) return picked
  const trial = trialFor(pool, request)
  if (trial !== null) return trial
  // A client's cookie is obeyed when one page fails: that fails or is tried again elsewhere, and its session stays.
  if (picked.token === request.token && !board.avoidsClient(picked.index, request)) return picked
  let candidate: Candidate | null = picked
  for (let i = 0; i < CHOICES && candidate !== null; i++) {
    if (candidate !== undefined && !board.avoids(candidate.index, request)) return candidate
    candidate = roster.pick(NO_TOKEN)
  }
  return spared(pool, request) ?? picked
}

/**
 * Whether another backend answers `request` only while all requests of its client fail on the one that its cookie
 * names: the cookie stays, so that the session goes on there afterwards.
 */
export function keepsSession({ board, roster }: Choosers, request: ChosenFor): boolean {
  if (board.calm || request.token === NO_TOKEN) return false
  for (const { token, index } of roster.serving) {
    if (token === request.token) return board.avoidsClient(index, request)
  }
  return false
}

/**
 * A backend that has no such failures, where the strategy did not come to one: it has a small weight. Null when such
 * requests fail everywhere, which is no reason to refuse them.
 */
function spared({ board, roster }: Choosers, request: ChosenFor): Candidate | null {
  const { serving } = roster
  const first = roster.nextTurn()
  for (let i = 0; i < serving.length; i++) {
    const candidate = serving[(first + i) % serving.length]
    if (candidate !== undefined && !board.avoids(candidate.index, request)) return candidate
  }
  return null
}

/** A trial must be repeatable, so that another backend can answer it, and must not move a client with a cookie. */
function trialFor({ board, roster }: Choosers, request: ChosenFor): Candidate | null {
  if (!request.idempotent || !request.done || request.binds) return null
  // Without a healthy backend even those whose page is wrong are in use.
  const pagesCount = !roster.panicking
  for (
    let index = board.nextTrial(request, 0, pagesCount);
    index >= 0;
    index = board.nextTrial(request, index + 1, pagesCount)
  ) {
    // One that gets its share needs no trial, unless requests like this one avoid it.
    const needless = roster.isEligible(index) && !board.avoids(index, request)
    const candidate = needless ? null : roster.standing(index)
    if (candidate === null) board.postponeTrial(index)
    else if (request.token === NO_TOKEN || request.token === candidate.token) {
      board.beginTrial(index)
      return candidate
    }
  }
  return null
}
