/**
 * Bugs put in on purpose, to show that the fuzzers find such bugs: rules made lax by rewriting, at equal length, what
 * the scanner gets to see. Each is a mistake that a real parser has made.
 */
import type { MessageKind } from "./heads.ts"
import type { Plant } from "./ours.ts"

export interface Canary {
  readonly name: string
  readonly kinds: readonly MessageKind[]
  readonly plant: Plant
}

function rewriting(pattern: RegExp, by: string): Plant {
  return (bytes) => {
    bytes.write(bytes.toString("latin1").replace(pattern, by), "latin1")
  }
}

export const canaries: readonly Canary[] = [
  {
    name: "a length may have a sign",
    kinds: ["request", "response", "response to HEAD"],
    plant: rewriting(/(?<=^Content-Length: )\+/gim, "0"),
  },
  {
    name: "a coding may have junk before it",
    kinds: ["request", "response", "response to HEAD"],
    plant: rewriting(/(?<=^Transfer-Encoding: )[x\v](?=chunked)/gim, " "),
  },
  {
    name: "a name may be followed by a blank",
    kinds: ["request", "response", "response to HEAD"],
    plant: rewriting(/(?<=^[-\w]+) :/gm, ": "),
  },
  {
    name: "a value may hold a bare CR",
    kinds: ["request", "response", "response to HEAD"],
    plant: rewriting(/\r(?![\r\n])/g, " "),
  },
  {
    name: "a known name may be spelled with _",
    kinds: ["request"],
    plant: rewriting(/(?<=^\w+)_(?=\w+: )/gm, "~"),
  },
  {
    name: "a chunk size may begin with 0x",
    kinds: ["chunked", "chunked response"],
    plant: rewriting(/(?<=^0)x(?=[0-9a-f]+\r$)/gm, "0"),
  },
  {
    name: "an extension may end with a bare LF",
    kinds: ["chunked", "chunked response"],
    plant: rewriting(/(?<=^[0-9a-f]+);\n/gm, "\r\n"),
  },
]
