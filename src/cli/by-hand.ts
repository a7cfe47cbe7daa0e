/** `bunlb enable`, `disable`, `set`, `add` and `remove`: one backend of a running bunlb, changed by hand. */
import { weight as weightType } from "../config/backend.ts"
import { backendFlags, backendPath, changeByHand } from "./change.ts"
import { command } from "./command.ts"
import { usageError } from "./flags.ts"

const flags = backendFlags

export const enable = command({
  name: "enable",
  description: "Put a backend back to work after drain or disable",
  usage: "enable BACKEND [--save] [--admin ADDRESS]",
  words: ["BACKEND"],
  flags,
  run: (typed, terminal) => changeByHand(typed, terminal, backendPath(typed.words[0], "enable")),
})

export const disable = command({
  name: "disable",
  description: "Take a backend out at once and probe it no more; what is in flight ends",
  usage: "disable BACKEND [--save] [--admin ADDRESS]",
  words: ["BACKEND"],
  flags,
  run: (typed, terminal) => changeByHand(typed, terminal, backendPath(typed.words[0], "disable")),
})

export const set = command({
  name: "set",
  description: "Change the weight of a backend",
  usage: "set weight BACKEND N [--save] [--admin ADDRESS]",
  words: ["weight", "BACKEND", "N"],
  flags,
  run: (typed, terminal) => {
    const [what, name, weight] = typed.words
    if (what !== "weight") {
      throw usageError(`cannot set ${JSON.stringify(what)}, write: bunlb set weight BACKEND N`)
    }
    weightType.read(weight, (fault) => {
      throw usageError(`weight of ${name}: ${fault}`)
    })
    return changeByHand(typed, terminal, backendPath(name, "weight"), { weight })
  },
})

export const add = command({
  name: "add",
  description: "Add a backend to a running bunlb",
  usage: "add HOST:PORT[,weight=N][,backup] [--save] [--admin ADDRESS]",
  words: ["HOST:PORT"],
  flags,
  run: (typed, terminal) => {
    return changeByHand(typed, terminal, "/api/v1/backends", { backend: typed.words[0] })
  },
})

export const remove = command({
  name: "remove",
  description: "Remove a backend from a running bunlb; what is in flight ends",
  usage: "remove BACKEND [--save] [--admin ADDRESS]",
  words: ["BACKEND"],
  flags,
  run: (typed, terminal) => changeByHand(typed, terminal, backendPath(typed.words[0], "remove")),
})
