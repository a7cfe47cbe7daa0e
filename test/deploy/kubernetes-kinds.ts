/**
 * What Kubernetes takes, as far as scripts/deploy/kubernetes uses it: field names and types as its OpenAPI description
 * has them (each held against the types that kubernetes-models 5.1.0 makes of it), less the fields that nobody here
 * needs. Strict: what is not here is refused, so that a field that is misspelt or in the wrong place, which the API
 * server would drop with a warning at best, fails a test.
 */
import type { JsonSchema } from "../../src/config/schema/setting.ts"

const text = { type: "string" }
const integer = { type: "integer", minimum: 0 }
const boolean = { type: "boolean" }
const texts = { type: "array", items: text }
const port = { type: "integer", minimum: 1, maximum: 65_535 }
const portName = { type: "string", pattern: "^(?=.*[a-z])[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?$" }
const portOrName = { anyOf: [port, portName] }
const numberOrShare = { anyOf: [integer, { type: "string", pattern: "^\\d+%$" }] }
const name = { type: "string", pattern: "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$" }
const labelKey = "^([a-z0-9.-]+/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"
const quantity = {
  type: ["string", "integer"],
  pattern: "^\\d+(\\.\\d+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$",
}

/** A mapping with these fields and no others. */
function object(properties: Readonly<Record<string, JsonSchema>>, required: string[] = []) {
  return { type: "object", additionalProperties: false, properties, required }
}

/** A mapping whose keys are free. */
function mapOf(value: JsonSchema, key = "^"): JsonSchema {
  return {
    type: "object",
    additionalProperties: false,
    properties: {},
    patternProperties: { [key]: value },
  }
}

const listOf = (items: JsonSchema): JsonSchema => ({ type: "array", items })
const oneOf = (...words: string[]): JsonSchema => ({ enum: words })

const labels = mapOf(
  { type: "string", pattern: "^([A-Za-z0-9]([\\w.-]{0,61}[A-Za-z0-9])?)?$" },
  labelKey,
)
const meta = object({ name, namespace: name, labels, annotations: mapOf(text, labelKey) }, ["name"])
const templateMeta = object({ labels, annotations: mapOf(text, labelKey) })
const selector = object({ matchLabels: labels }, ["matchLabels"])

const seccomp = object({ type: oneOf("RuntimeDefault", "Unconfined", "Localhost") }, ["type"])

const handlers = {
  httpGet: object({ path: text, port: portOrName, host: text, scheme: oneOf("HTTP", "HTTPS") }, [
    "port",
  ]),
  tcpSocket: object({ port: portOrName, host: text }, ["port"]),
  exec: object({ command: texts }, ["command"]),
}

const probe = object({
  ...handlers,
  initialDelaySeconds: integer,
  periodSeconds: integer,
  timeoutSeconds: integer,
  failureThreshold: integer,
  successThreshold: integer,
})

const resources = mapOf(quantity, "^(cpu|memory|ephemeral-storage)$")

const container = object(
  {
    name,
    image: text,
    imagePullPolicy: oneOf("Always", "IfNotPresent", "Never"),
    args: texts,
    command: texts,
    env: listOf(object({ name: text, value: text }, ["name"])),
    ports: listOf(
      object({ name: portName, containerPort: port, protocol: oneOf("TCP", "UDP") }, [
        "containerPort",
      ]),
    ),
    readinessProbe: probe,
    livenessProbe: probe,
    startupProbe: probe,
    lifecycle: object({
      preStop: object({
        ...handlers,
        sleep: object({ seconds: integer }, ["seconds"]),
      }),
    }),
    resources: object({ requests: resources, limits: resources }),
    securityContext: object({
      allowPrivilegeEscalation: boolean,
      readOnlyRootFilesystem: boolean,
      runAsNonRoot: boolean,
      capabilities: object({ drop: texts, add: texts }),
    }),
    volumeMounts: listOf(
      object({ name: text, mountPath: text, readOnly: boolean, subPath: text }, [
        "name",
        "mountPath",
      ]),
    ),
  },
  ["name"],
)

const pod = object(
  {
    terminationGracePeriodSeconds: integer,
    automountServiceAccountToken: boolean,
    enableServiceLinks: boolean,
    serviceAccountName: name,
    securityContext: object({
      runAsNonRoot: boolean,
      runAsUser: integer,
      runAsGroup: integer,
      fsGroup: integer,
      seccompProfile: seccomp,
    }),
    topologySpreadConstraints: listOf(
      object(
        {
          maxSkew: integer,
          topologyKey: text,
          whenUnsatisfiable: oneOf("DoNotSchedule", "ScheduleAnyway"),
          labelSelector: selector,
        },
        ["maxSkew", "topologyKey", "whenUnsatisfiable"],
      ),
    ),
    containers: listOf(container),
    volumes: listOf(
      object({ name, configMap: object({ name, optional: boolean }), emptyDir: object({}) }, [
        "name",
      ]),
    ),
  },
  ["containers"],
)

function kind(apiVersion: string, word: string, fields: Record<string, JsonSchema>): JsonSchema {
  const known = { apiVersion: oneOf(apiVersion), kind: oneOf(word), metadata: meta }
  return object({ ...known, ...fields }, ["apiVersion", "kind", "metadata", ...Object.keys(fields)])
}

/** By kind. */
export const kinds: Readonly<Record<string, JsonSchema>> = {
  ConfigMap: kind("v1", "ConfigMap", { data: mapOf(text, "^[-._a-zA-Z0-9]+$") }),
  Service: kind("v1", "Service", {
    spec: object(
      {
        type: oneOf("ClusterIP", "NodePort", "LoadBalancer"),
        clusterIP: oneOf("None"),
        selector: labels,
        publishNotReadyAddresses: boolean,
        ports: listOf(
          object({ name: portName, port, targetPort: portOrName, protocol: oneOf("TCP", "UDP") }, [
            "port",
          ]),
        ),
      },
      ["selector", "ports"],
    ),
  }),
  Deployment: kind("apps/v1", "Deployment", {
    spec: object(
      {
        replicas: integer,
        selector,
        minReadySeconds: integer,
        strategy: object({
          type: oneOf("RollingUpdate", "Recreate"),
          rollingUpdate: object({ maxSurge: numberOrShare, maxUnavailable: numberOrShare }),
        }),
        template: object({ metadata: templateMeta, spec: pod }, ["metadata", "spec"]),
      },
      ["selector", "template"],
    ),
  }),
  PodDisruptionBudget: kind("policy/v1", "PodDisruptionBudget", {
    spec: object({ maxUnavailable: numberOrShare, minAvailable: numberOrShare, selector }, [
      "selector",
    ]),
  }),
  HorizontalPodAutoscaler: kind("autoscaling/v2", "HorizontalPodAutoscaler", {
    spec: object(
      {
        scaleTargetRef: object({ apiVersion: text, kind: text, name }, ["kind", "name"]),
        minReplicas: integer,
        maxReplicas: integer,
        metrics: listOf(
          object(
            {
              type: oneOf("Resource"),
              resource: object(
                {
                  name: oneOf("cpu", "memory"),
                  target: object(
                    { type: oneOf("Utilization", "AverageValue"), averageUtilization: integer },
                    ["type"],
                  ),
                },
                ["name", "target"],
              ),
            },
            ["type"],
          ),
        ),
        behavior: object({
          scaleDown: object({ stabilizationWindowSeconds: integer }),
          scaleUp: object({ stabilizationWindowSeconds: integer }),
        }),
      },
      ["scaleTargetRef", "maxReplicas"],
    ),
  }),
}
