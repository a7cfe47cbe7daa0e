/**
 * Small damage: what a line noise, a proxy in the way or an attacker does to a message that was right.
 */
import type { Rng } from "../support/until.ts"

type Mutation = (text: string, chance: Rng, other: string) => string

const specials = "\0\t\n\v\f\r \"'(),/:;<=>?@[\\]{}#*+-_.%\x7f\x80\xa0\xff0aA"

function spliced(text: string, from: number, to: number, between: string): string {
  return text.slice(0, from) + between + text.slice(to)
}

function place(text: string, chance: Rng): number {
  return chance.between(0, Math.max(0, text.length - 1))
}

function special(chance: Rng): string {
  return specials[chance.between(0, specials.length - 1)] ?? " "
}

/** Replaces a whole match of the pattern, chosen by chance. */
function replaceOne(
  text: string,
  pattern: RegExp,
  chance: Rng,
  by: (match: string) => string,
): string {
  const matches = [...text.matchAll(pattern)]
  const match = matches[chance.between(0, Math.max(0, matches.length - 1))]
  if (match === undefined) return text
  return spliced(text, match.index, match.index + match[0].length, by(match[0]))
}

/** The letter in its other case; only for ASCII, since `\xb5` in upper case is no byte. */
function swapped(letter: string): string {
  return String.fromCharCode(letter.charCodeAt(0) ^ 32)
}

const anyLine = /[^\r\n]*\r\n/g
const anyName = /^[^\r\n: ]+(?=:)/gm

const mutations: readonly [Mutation, ...Mutation[]] = [
  function flipBit(text, chance) {
    const at = place(text, chance)
    const flipped = (text.charCodeAt(at) || 0) ^ (1 << chance.between(0, 7))
    return spliced(text, at, at + 1, String.fromCharCode(flipped))
  },
  function replaceByte(text, chance) {
    const at = place(text, chance)
    return spliced(text, at, at + 1, special(chance))
  },
  function insertByte(text, chance) {
    const at = place(text, chance)
    return spliced(text, at, at, special(chance))
  },
  function cutOut(text, chance) {
    const at = place(text, chance)
    return spliced(text, at, at + chance.between(1, 6), "")
  },
  function truncate(text, chance) {
    return text.slice(0, place(text, chance))
  },
  function repeatLine(text, chance) {
    return replaceOne(text, anyLine, chance, (line) => line + line)
  },
  function recaseName(text, chance) {
    return replaceOne(text, anyName, chance, (name) =>
      [...name]
        .map((letter) => (/[a-z]/i.test(letter) && chance.next() < 0.5 ? swapped(letter) : letter))
        .join(""),
    )
  },
  function repeatRecased(text, chance) {
    return replaceOne(text, anyLine, chance, (line) => {
      const colon = line.indexOf(":")
      return line + line.slice(0, colon).replace(/[a-z]/gi, swapped) + line.slice(colon)
    })
  },
  function respellName(text, chance) {
    return replaceOne(text, anyName, chance, (name) =>
      name.replaceAll("-", chance.pick(["_", ".", "--", ""])),
    )
  },
  function breakLineEnd(text, chance) {
    return replaceOne(text, /\r\n/g, chance, () => chance.pick(["\n", "\r", "\r\r\n", "\n\r", ""]))
  },
  function padColon(text, chance) {
    return replaceOne(text, /:/g, chance, () => chance.pick([" :", "\t:", ":\t", "::", ": \r\n "]))
  },
  function fold(text, chance) {
    return replaceOne(text, anyLine, chance, (line) => chance.pick([" ", "\t", "\r\n"]) + line)
  },
  function splice(text, chance, other) {
    return text.slice(0, place(text, chance)) + other.slice(place(other, chance))
  },
]

/** The message after 0 to 3 mutations. */
export function mutated(text: string, chance: Rng, other: string): string {
  let result = text
  for (let times = chance.pick([0, 0, 1, 1, 1, 2, 3]); times > 0; times--) {
    result = chance.pick(mutations)(result, chance, other)
  }
  return result
}
