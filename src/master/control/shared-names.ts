/**
 * A name service that is asked once for those who want to know the same at the same time. One name in several pools is
 * due at the same moments, since its pools have the same answer with the same TTL.
 */
import type { Clock } from "../../core/clock.ts"
import type { NameService } from "../../net/names/name-service.ts"

interface Question<T> {
  readonly answer: Promise<T>
  readonly began: number
}

/** `limitMs`: a question that is older is asked again, for it may never be answered. */
export function sharedNames(names: NameService, clock: Clock, limitMs: number): NameService {
  const shared = <T>(ask: (name: string) => Promise<T>): ((name: string) => Promise<T>) => {
    const underWay = new Map<string, Question<T>>()
    return (name) => {
      const known = underWay.get(name)
      const now = clock.now()
      if (known !== undefined && now - known.began < limitMs) return known.answer
      const answer = ask(name).finally(() => {
        if (underWay.get(name)?.answer === answer) underWay.delete(name)
      })
      underWay.set(name, { answer, began: now })
      return answer
    }
  }
  return {
    addresses: shared((name) => names.addresses(name)),
    services: shared((name) => names.services(name)),
  }
}
