/**
 * What another configuration would change, and which of it a running bunlb can take over: nearly all. What it cannot
 * is named, never ignored.
 */
import { isSame, listenerChanges, poolChanges, valueOf } from "./record-difference.ts"
import { addressOf, DEFAULT_NAME } from "./schema/pools.ts"
import { settingRows } from "./schema/schema.ts"
import type { ListenerSettings, Settings } from "./schema/settings.ts"

export interface Difference {
  /** One line for each thing that would change at once. */
  readonly changes: readonly string[]
  /** One line for each thing that waits, and for what. */
  readonly restart: readonly string[]
}

const HELD = "is for the service manager to do, which holds the socket"

/** `asked`, with the values of `running` for all that waits. `held`: a service manager holds the listening sockets. */
export function withoutRestart(running: Settings, asked: Settings, held: boolean): Settings {
  const { mode, dns, logOutput, sockets, host, port } = running
  const fixed = { mode, dns, logOutput, ...(mode === "sp" && { sockets }) }
  if (!held) return { ...asked, ...fixed }
  const listeners = running.listeners.map((each): ListenerSettings => {
    const fresh = asked.listeners.find(({ name }) => name === each.name)
    if (fresh !== undefined) return { ...fresh, ...addressOf(each) }
    // Its socket stays, and its pool may not.
    const pool = asked.pools.find(({ name }) => name === each.pool) ?? asked.pools[0]
    return { ...each, pool: pool?.name ?? each.pool }
  })
  return { ...asked, ...fixed, host, port, listeners }
}

export function differenceOf(running: Settings, asked: Settings, held: boolean): Difference {
  const isFlat = hasFlatListener(running) && hasFlatListener(asked)
  const { addresses, others } = listenerChanges(running, asked)
  const changes = [...poolChanges(running, asked)]
  const restart: string[] = []
  // The address of a flat configuration is told under the keys that it has there.
  if (!isFlat && held) restart.push(...addresses.map((line) => `${line}: ${HELD}`))
  else if (!isFlat) changes.push(...addresses)
  changes.push(...others)
  for (const { key, setting } of settingRows) {
    if (key === "backends" || key === "listeners" || key === "pools") continue
    const isAddress = key === "host" || key === "port"
    const [before, after] = [valueOf(running, key), valueOf(asked, key)]
    if (isSame(before, after) || (isAddress && !isFlat)) continue
    const shown = (value: unknown): string =>
      setting.secret && value !== null ? "***" : setting.type.format(value)
    const line = `${key}: ${shown(before)} -> ${shown(after)}`
    const ofProcess = ["mode", "log_output"].includes(key) || key.startsWith("dns.")
    if (ofProcess || (key === "sockets" && running.mode === "sp"))
      restart.push(`${line} needs \`bunlb upgrade\` or a restart`)
    else if (held && isAddress) restart.push(`${line} ${HELD}`)
    else changes.push(line)
  }
  return { changes, restart }
}

/** One listener, whose address is that of host and port. */
function hasFlatListener({ listeners, host, port }: Settings): boolean {
  const [first, ...more] = listeners
  if (first === undefined || more.length > 0 || first.name !== DEFAULT_NAME) return false
  return isSame(addressOf(first), { host, port })
}
