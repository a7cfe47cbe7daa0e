/** Which CA certificates the present worker of a slot has been told of: only what is new to it is sent. */
import { authoritiesInEffect, type Authorities } from "../../net/tls/authorities.ts"

export class ToldAuthorities {
  #told: Authorities = new Map()

  /** What is in effect and the worker does not know. It is told of it now. */
  news(): readonly (readonly [string, string])[] {
    const before = this.#told
    this.#told = authoritiesInEffect()
    const fresh = [...this.#told].filter(([path, { pem }]) => before.get(path)?.pem !== pem)
    return fresh.map(([path, { pem }]) => [path, pem])
  }

  /** Another worker sits there. */
  forget(): void {
    this.#told = new Map()
  }
}
