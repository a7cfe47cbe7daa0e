/** `bunlb enable`, `disable`, `set`, `add` and `remove`: backends of a running bunlb, changed by hand. */
import { weight as weightType } from "../config/schema/backend.ts"
import { backendFlags, backendPath, changeByHand, type ByHand } from "./change.ts"
import { command } from "./command.ts"
import { questionTypes } from "../master/control/explain.ts"
import { readOptions, usageError, type Option, type Typed } from "./flags.ts"

const flags = backendFlags

const poolOption: Option<string | null> = {
  name: "pool",
  type: questionTypes.pool,
  group: "Flags",
  help: "Pool to add them to, if they do not begin with POOL/",
  default: null,
  defaultText: "default, or the only one",
}

/** The same for each backend that is named. */
function each({ words }: Typed, verb: string): readonly ByHand[] {
  return words.map((name) => ({ path: backendPath(name, verb) }))
}

export const enable = command({
  name: "enable",
  description: "Put backends back to work after drain or disable",
  usage: "enable BACKEND... [--save] [--json] [--admin ADDRESS]",
  words: ["BACKEND..."],
  flags,
  run: (typed, terminal) => changeByHand(typed, terminal, each(typed, "enable")),
})

export const disable = command({
  name: "disable",
  description: "Take backends out at once and probe them no more; what is in flight ends",
  usage: "disable BACKEND... [--save] [--json] [--admin ADDRESS]",
  words: ["BACKEND..."],
  flags,
  run: (typed, terminal) => changeByHand(typed, terminal, each(typed, "disable")),
})

export const set = command({
  name: "set",
  description: "Change the weight of a backend",
  usage: "set weight BACKEND N [--save] [--json] [--admin ADDRESS]",
  words: ["weight", "BACKEND", "N"],
  choices: ["weight"],
  flags,
  run: (typed, terminal) => {
    const [what, name = "", weight] = typed.words
    if (what !== "weight") {
      throw usageError(`cannot set ${JSON.stringify(what)}, write: bunlb set weight BACKEND N`)
    }
    weightType.read(weight, (fault) => {
      throw usageError(`weight of ${name}: ${fault}`)
    })
    return changeByHand(typed, terminal, [{ path: backendPath(name, "weight"), body: { weight } }])
  },
})

export const add = command({
  name: "add",
  description: "Add backends to a running bunlb",
  usage: "add HOST:PORT[,weight=N]... [--pool NAME] [--save] [--json] [--admin ADDRESS]",
  words: ["HOST:PORT..."],
  flags: [...flags, poolOption],
  examples: ["bunlb add 10.0.0.3:8080,weight=2", "bunlb add api/10.0.0.3:8080 --save"],
  run: (typed, terminal) => {
    const path = "/api/v1/backends"
    const { pool } = readOptions(typed, { pool: poolOption })
    const wanted = typed.words.map((backend): ByHand => ({ path, body: { backend, pool } }))
    return changeByHand(typed, terminal, wanted)
  },
})

export const remove = command({
  name: "remove",
  description: "Remove backends from a running bunlb; what is in flight ends",
  usage: "remove BACKEND... [--save] [--json] [--admin ADDRESS]",
  words: ["BACKEND..."],
  flags,
  run: (typed, terminal) => changeByHand(typed, terminal, each(typed, "remove")),
})
