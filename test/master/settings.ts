/** Complete settings for tests: a small fleet on a port of the kernel's choice, with two backends of no use. */
import { defaultSettings } from "../../src/config/resolve.ts"
import { withDefaults } from "../../src/config/schema/pools.ts"
import type { BackendSettings, FlatSettings, Settings } from "../../src/config/schema/settings.ts"

export function testBackend(name: string, more: Partial<BackendSettings> = {}): BackendSettings {
  const [host = "", port = ""] = name.split(":")
  return { name, host, port: Number(port), tls: false, weight: 1, backup: false, ca: null, ...more }
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
