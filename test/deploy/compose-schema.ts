/**
 * What a Compose file may say, as much of it as the example says: whatever else is typed there is a fault until it is
 * described here. Docker's own verdict is asked for where it is installed (see container.test.ts).
 */
import type { JsonSchema } from "../../src/config/schema/setting.ts"

const text: JsonSchema = { type: "string" }
const flag: JsonSchema = { type: "boolean" }
const texts: JsonSchema = { type: "array", items: text }
const duration: JsonSchema = { type: "string", pattern: "^(\\d+(us|ms|s|m|h))+$" }

function closed(properties: Readonly<Record<string, JsonSchema>>): JsonSchema {
  return { type: "object", properties, additionalProperties: false }
}

const service: JsonSchema = closed({
  image: text,
  build: closed({ context: text }),
  command: texts,
  environment: { type: "object", patternProperties: { "^[A-Z][A-Z0-9_]*$": text } },
  // Quoted: YAML 1.1 reads 22:22 as a number.
  ports: {
    type: "array",
    items: { type: "string", pattern: "^([\\d.]+:)?\\d+:\\d+(/(tcp|udp))?$" },
  },
  depends_on: texts,
  healthcheck: closed({ disable: flag }),
  read_only: flag,
  cap_drop: texts,
  security_opt: texts,
  stop_grace_period: duration,
  ulimits: { type: "object", patternProperties: { "^[a-z]+$": { type: "integer", minimum: 1 } } },
  restart: { type: "string", pattern: "^(no|always|on-failure(:\\d+)?|unless-stopped)$" },
})

export const composeSchema: JsonSchema = {
  type: "object",
  required: ["services"],
  properties: {
    name: { type: "string", pattern: "^[a-z0-9][a-z0-9_-]*$" },
    services: {
      type: "object",
      properties: {},
      patternProperties: { "^[a-zA-Z0-9._-]+$": service },
      additionalProperties: false,
    },
  },
  // Extensions, which anchors are kept in.
  patternProperties: { "^x-": {} },
  additionalProperties: false,
}
