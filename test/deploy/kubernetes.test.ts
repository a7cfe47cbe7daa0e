/**
 * The Kubernetes manifests, without a cluster: every field is one that Kubernetes has, they fit each other, they fit
 * bunlb, and they keep the rules of the restricted Pod Security Standard.
 */
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, test } from "bun:test"
import manifest from "../../package.json" with { type: "json" }
import type { JsonSchema } from "../../src/config/schema/setting.ts"
import { parseConfig } from "../../src/config/file/config-tree.ts"
import { resolveSettings } from "../../src/config/resolve.ts"
import { warningsAbout } from "../../src/config/warnings.ts"
import { RunningBunlb, RunningBackend } from "../e2e/running-bunlb.ts"
import { faultsOf } from "../support/json-schema.ts"
import { root } from "../support/source.ts"
import { schemaOf } from "./kubernetes-fields.ts"
import { kinds } from "./kubernetes-kinds.ts"

type Fields = Readonly<Record<string, unknown>>

interface Container {
  readonly image: string
  readonly args: readonly string[]
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[]
  readonly readinessProbe: Probe
  readonly livenessProbe?: Probe
  readonly lifecycle: { readonly preStop: { readonly sleep: { readonly seconds: number } } }
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[]
  readonly securityContext: Fields
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string }
}

interface Manifest {
  readonly file: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly labels: Fields }
  readonly data: Readonly<Record<string, string>>
  readonly spec: {
    readonly selector: { readonly matchLabels?: Fields } & Fields
    readonly clusterIP?: string
    readonly ports: readonly { readonly port: number; readonly targetPort: string }[]
    readonly scaleTargetRef: Fields
    readonly template: {
      readonly metadata: { readonly labels: Fields; readonly annotations: Fields }
      readonly spec: {
        readonly terminationGracePeriodSeconds: number
        readonly automountServiceAccountToken: boolean
        readonly enableServiceLinks: boolean
        readonly securityContext: Fields
        readonly containers: readonly [Container]
        readonly volumes?: readonly { readonly name: string; readonly configMap: Fields }[]
      }
    }
  }
}

const folder = join(root, "scripts", "deploy", "kubernetes")
const read = (file: string): string => readFileSync(join(folder, file), "utf8")
const files = readdirSync(folder).filter((file) => file !== "kustomization.yaml")
const all = files.flatMap((file): Manifest[] =>
  [Bun.YAML.parse(read(file))].flat().map((each) => ({ ...(each as Manifest), file })),
)

function only(kind: string, name = "bunlb"): Manifest {
  const found = all.filter((each) => each.kind === kind && each.metadata.name === name)
  if (found.length !== 1 || found[0] === undefined) throw new Error(`no one ${kind} ${name}`)
  return found[0]
}

const deployments = all.filter(({ kind }) => kind === "Deployment")
const pod = only("Deployment").spec.template.spec
const [container] = pod.containers
const settings = resolveSettings({
  file: parseConfig("bunlb.yaml", only("ConfigMap").data["bunlb.yaml"] ?? "", "yaml"),
  flags: new Map(),
  environment: {},
  machine: { cpus: 8, platform: "linux" },
})

/** What `ours` knows and the description does not. */
function unknownTo(theirs: JsonSchema, ours: JsonSchema, at: string): string[] {
  const fields = Object.entries((ours["properties"] ?? {}) as Readonly<Record<string, JsonSchema>>)
  const known = (theirs["properties"] ?? {}) as Readonly<Record<string, JsonSchema>>
  const [items, theirItems] = [ours["items"], theirs["items"]] as (JsonSchema | undefined)[]
  const inside =
    items !== undefined && theirItems !== undefined ? unknownTo(theirItems, items, `${at}[]`) : []
  const faults = fields.flatMap(([name, inner]) => {
    const field = known[name]
    return field === undefined ? [`${at}.${name}`] : unknownTo(field, inner, `${at}.${name}`)
  })
  return [...inside, ...faults]
}

describe("every field is one that Kubernetes has", () => {
  test.each(all.map(({ file, kind, metadata }) => [`${file} ${kind} ${metadata.name}`] as const))(
    "%s",
    (title) => {
      const each = all.find(
        ({ file, kind, metadata }) => `${file} ${kind} ${metadata.name}` === title,
      )
      const { file: _, ...fields } = each ?? only("")
      expect(faultsOf(schemaOf(fields.kind), fields)).toEqual([])
      expect(faultsOf(kinds[fields.kind] ?? { enum: [] }, fields)).toEqual([])
    },
  )

  test("by its own description: another field, another type, or a missing one is refused", () => {
    const { file: _, ...good } = only("Deployment")
    const text = JSON.stringify(good)
    for (const [from, to, fault] of [
      ['"periodSeconds"', '"periodSecond"', /readinessProbe: has the unknown key periodSecond$/],
      ['"replicas":2', '"replicas":"2"', /spec\.replicas: is not number$/],
      ['"seconds":10', '"second":10', /sleep: has the unknown key second$/],
      ['"mountPath"', '"path"', /volumeMounts\[0\]: has the unknown key path$/],
      ['"apps/v1"', '"apps/v1beta1"', /apiVersion: is not of apps\/v1$/],
    ] as const) {
      expect(text).toContain(from)
      const bad: unknown = JSON.parse(text.replace(from, to))
      expect(faultsOf(schemaOf("Deployment"), bad).join("\n")).toMatch(new RegExp(fault, "m"))
    }
    const { containers: __, ...empty } = good.spec.template.spec
    expect(faultsOf(schemaOf("PodSpec"), empty)).toEqual(["$: lacks containers"])
    expect(() => schemaOf("Podspec")).toThrow("Kubernetes has no Podspec")
  })

  test("and each field that we allow for is one of it", () => {
    for (const [kind, schema] of Object.entries(kinds)) {
      expect(unknownTo(schemaOf(kind), schema, kind)).toEqual([])
    }
  })

  test("what is misspelt or in the wrong place is refused", () => {
    const { file: _, ...good } = only("Deployment")
    const text = JSON.stringify(good)
    for (const [from, to] of [
      ['"periodSeconds"', '"periodSecond"'],
      ['"replicas":2', '"replicas":"2"'],
      ['"lifecycle"', '"terminationGracePeriodSeconds":60,"lifecycle"'],
      ['"RollingUpdate"', '"Rolling"'],
      ['"512Mi"', '"512MB"'],
      ['"apps/v1"', '"apps/v1beta1"'],
    ] as const) {
      expect(text).toContain(from)
      const bad: unknown = JSON.parse(text.replace(from, to))
      expect(faultsOf(kinds["Deployment"] ?? {}, bad)).toHaveLength(1)
    }
  })

  test("and kustomization.yaml names files that there are", () => {
    const named = [...read("kustomization.yaml").matchAll(/^ +(?:# )?- (\S+\.yaml)$/gm)]
    expect(named.map(([, file]) => file).toSorted()).toEqual(files.toSorted())
  })
})

describe("they fit each other", () => {
  test("selectors find their pods, ports and probes their names", () => {
    for (const { spec, metadata } of deployments) {
      const { labels } = spec.template.metadata
      expect(spec.selector.matchLabels).toEqual(labels)
      expect(only("Service", metadata.name).spec.selector as Fields).toEqual(labels)
      const [{ ports, readinessProbe, livenessProbe }] = spec.template.spec.containers
      const names = ports.map(({ name }) => name)
      for (const { targetPort } of only("Service", metadata.name).spec.ports) {
        expect(names).toContain(targetPort)
      }
      for (const probe of [readinessProbe, livenessProbe ?? readinessProbe]) {
        expect(names).toContain(probe.httpGet.port)
      }
    }
    expect(only("PodDisruptionBudget").spec.selector.matchLabels).toEqual(
      only("Deployment").spec.selector.matchLabels,
    )
    const { metadata } = only("Deployment")
    expect(only("HorizontalPodAutoscaler").spec.scaleTargetRef).toMatchObject({
      kind: "Deployment",
      name: metadata.name,
    })
  })

  test("the ConfigMap is mounted where bunlb reads it, whole, so that changes come through", () => {
    expect(container.args).toEqual(["-c", "/etc/bunlb/bunlb.yaml"])
    expect(container.volumeMounts).toEqual([
      { name: "config", mountPath: "/etc/bunlb", readOnly: true },
    ] as never)
    expect(pod.volumes).toEqual([
      { name: "config", configMap: { name: only("ConfigMap").metadata.name } },
    ])
    expect(settings.watch).toBe(true)
  })
})

describe("they fit bunlb", () => {
  test("image and ports", () => {
    for (const { spec } of deployments) {
      expect(spec.template.spec.containers[0].image).toBe(`bunlb:${manifest.version}`)
    }
    const ports = Object.fromEntries(container.ports.map((each) => [each.name, each.containerPort]))
    expect({ host: "0.0.0.0", port: ports["admin"] }).toEqual(settings.admin as never)
    expect(ports["http"]).toBe(settings.port)
    const { annotations } = only("Deployment").spec.template.metadata
    expect(annotations["prometheus.io/port"]).toBe(String(ports["admin"]))
  })

  test("the configuration is sound, and warns of the open figures alone", () => {
    const warnings = warningsAbout(settings, { cpus: 8, platform: "linux", privileged: false })
    expect(warnings.map(({ line }) => line)).toEqual([
      expect.stringContaining("admin: 0.0.0.0 is not a loopback address"),
    ])
    expect([settings.pin, settings.adminToken]).toEqual([false, null])
  })

  test("the name that it discovers is that of the headless Service", () => {
    const { spec, metadata } = only("Service", "web")
    const port = spec.ports[0]?.port
    expect(spec.clusterIP).toBe("None")
    expect(settings.backends.map(({ name }) => name)).toEqual([
      `dns+http://${metadata.name}:${port}`,
    ])
  })

  test("a change of the ConfigMap is taken over, as a kubelet brings it", async () => {
    const place = mkdtempSync(join(tmpdir(), "bunlb-configmap-"))
    // Files are links into a folder that is itself a link, and that one is replaced.
    const bring = (version: string, text: string): void => {
      mkdirSync(join(place, version))
      writeFileSync(join(place, version, "bunlb.yaml"), text)
      symlinkSync(version, join(place, "..data_tmp"))
      renameSync(join(place, "..data_tmp"), join(place, "..data"))
    }
    const text = only("ConfigMap").data["bunlb.yaml"] ?? ""
    bring("..first", text)
    symlinkSync("..data/bunlb.yaml", join(place, "bunlb.yaml"))
    // Nobody answers there: bunlb starts all the same.
    const flags = ["-c", join(place, "bunlb.yaml"), "--dns-servers", "127.0.0.1:1"]
    await using bunlb = await RunningBunlb.start([], flags)
    bring("..second", text.replace("drain: 30s", "drain: 20s"))
    await bunlb.process.line(/reload: timeouts\.drain: 30s -> 20s$/)
    rmSync(place, { recursive: true })
  })

  test("there is time to drain", () => {
    const { seconds } = container.lifecycle.preStop.sleep
    const drain = settings.timeouts.drain / 1000
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(seconds + drain + 5)
    for (const { spec } of deployments) {
      const each = spec.template.spec
      const { sleep } = each.containers[0].lifecycle.preStop
      expect(each.terminationGracePeriodSeconds).toBeGreaterThan(sleep.seconds)
    }
  })

  test("the probes ask for pages that there are", async () => {
    await using backend = await RunningBackend.start("one")
    await using bunlb = await RunningBunlb.start([backend], ["-w", "1"])
    for (const { httpGet } of [container.readinessProbe, container.livenessProbe ?? never()]) {
      const response = await fetch(`http://127.0.0.1:${bunlb.adminPort}${httpGet.path}`)
      expect([httpGet.path, response.status]).toEqual([httpGet.path, 200])
    }
  })
})

test("while it drains it is alive and not ready: it is neither killed nor sent to", async () => {
  await using backend = await RunningBackend.start("one")
  await using bunlb = await RunningBunlb.start([backend], ["-w", "1"])
  const stream = await fetch(`http://127.0.0.1:${bunlb.port}/stream`)
  bunlb.process.kill("SIGTERM")
  await bunlb.process.line(/draining, at most 30 s/)
  const ask = async ({ httpGet }: Probe): Promise<number> =>
    (await fetch(`http://127.0.0.1:${bunlb.adminPort}${httpGet.path}`)).status
  expect(await ask(container.readinessProbe)).toBe(503)
  expect(await ask(container.livenessProbe ?? never())).toBe(200)
  await stream.body?.cancel()
  expect(await bunlb.process.exited()).toBe(0)
})

function never(): never {
  throw new Error("there is no such probe")
}

test.each(deployments.map(({ metadata }) => metadata.name))(
  "%s keeps the rules of the restricted Pod Security Standard, and more",
  (name) => {
    const { spec } = only("Deployment", name).spec.template
    expect(spec).toMatchObject({ automountServiceAccountToken: false, enableServiceLinks: false })
    expect(spec.securityContext).toEqual({
      runAsNonRoot: true,
      runAsUser: 65_532,
      runAsGroup: 65_532,
      seccompProfile: { type: "RuntimeDefault" },
    })
    for (const { securityContext } of spec.containers) {
      expect(securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ["ALL"] },
      })
    }
  },
)
