/** The command tree. Each command is loaded when it is needed: `health` does not pay for `run`. */
import type { CommandTree } from "./command-line.ts"

export const commands: CommandTree = {
  run: async () => (await import("./run.ts")).run,
  init: async () => (await import("./init.ts")).init,
  check: async () => (await import("./check.ts")).check,
  demo: async () => (await import("./demo.ts")).demo,
  backend: async () => (await import("./backend.ts")).backend,
  health: async () => (await import("./health.ts")).health,
  status: async () => (await import("./status.ts")).status,
  explain: async () => (await import("./explain.ts")).explain,
  reload: async () => (await import("./reload.ts")).reload,
  upgrade: async () => (await import("./upgrade.ts")).upgrade,
  drain: async () => (await import("./drain.ts")).drain,
  enable: async () => (await import("./by-hand.ts")).enable,
  disable: async () => (await import("./by-hand.ts")).disable,
  set: async () => (await import("./by-hand.ts")).set,
  add: async () => (await import("./by-hand.ts")).add,
  remove: async () => (await import("./by-hand.ts")).remove,
  watch: async () => (await import("./watch-over.ts")).watch,
  keepalived: async () => (await import("./keepalived.ts")).keepalived,
  schema: async () => (await import("./schema.ts")).schema,
  completion: async () => (await import("./completion.ts")).completion,
  man: async () => (await import("./man.ts")).man,
  version: async () => (await import("./version.ts")).version,
}
