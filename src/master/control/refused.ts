/** Why something that was asked cannot be done as things stand; `code` is for programs. */
export class Refused extends Error {
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}
