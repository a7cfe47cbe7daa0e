/** Complete settings for tests: a small fleet on a port of the kernel's choice, with two backends of no use. */
import { defaultSettings } from "../../src/config/resolve.ts"
import { mapPools, withDefaults } from "../../src/config/schema/pools.ts"
import type {
  BackendSettings,
  FlatSettings,
  PoolSettings,
  Settings,
} from "../../src/config/schema/settings.ts"
import { present } from "../support/present.ts"

export function testBackend(name: string, more: Partial<BackendSettings> = {}): BackendSettings {
  const [host = "", port = ""] = name.split(":")
  return { name, host, port: Number(port), tls: false, weight: 1, backup: false, ca: null, ...more }
}

/** With these pools, each with a listener of its name. */
export function pooledSettings(
  pools: Readonly<Record<string, Partial<PoolSettings>>>,
  more: Partial<Settings> = {},
): Settings {
  const base = testSettings({ backends: [], ...more })
  const names = Object.keys(pools)
  const [pool, listener] = [present(base.pools[0]), present(base.listeners[0])]
  const all = { ...base, listeners: names.map((name) => ({ ...listener, name, pool: name })) }
  const own = names.map((name) => ({ ...pool, name, ...pools[name] }))
  return mapPools({ ...all, pools: own }, (each) => each)
}

export function testSettings(more: Partial<Settings> = {}): Settings {
  const settings: FlatSettings = {
    ...defaultSettings({ cpus: 2, platform: "linux" }),
    host: "127.0.0.1",
    port: 0,
    backends: [testBackend("a:80"), testBackend("b:80")],
    logLevel: "debug",
    admin: { host: "127.0.0.1", port: 0 },
    ...more,
  }
  return { ...withDefaults(settings), ...more }
}
