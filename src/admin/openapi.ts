/** What the admin listener answers, in the words of OpenAPI 3.1, for programs that make clients of it. */
import { version } from "../fleet/version.ts"

type Json = Readonly<Record<string, unknown>>

const schemaRef = (name: string): Json => ({ $ref: `#/components/schemas/${name}` })

function content(schema: Json, type = "application/json"): Json {
  return { content: { [type]: { schema } } }
}

const text = { type: "string" }
const lines = { type: "array", items: text }
const fault = (description: string): Json => ({ description, ...content(schemaRef("Error")) })

/** A page that only reads. */
function read(summary: string, answer: Json, parameters: readonly Json[] = []): Json {
  const ok = { "200": { description: summary, ...answer } }
  if (parameters.length === 0) return { get: { summary, responses: ok } }
  const responses = { ...ok, "400": fault("A parameter is not what it should be") }
  return { get: { summary, responses, parameters } }
}

/** A request that changes something; `body` names the keys of its JSON object. */
function change(summary: string, body: Json | null, parameters: readonly Json[] = []): Json {
  const responses = {
    "200": { description: "Every worker obeys", ...content(schemaRef("Outcome")) },
    "400": fault("The body is not what it should be"),
    "401": fault("The token is missing or wrong"),
    "403": fault("Not from this machine without a token, or from a page of another site"),
    "404": fault("There is no such backend"),
    "409": fault("It cannot be as things stand"),
    "422": fault("The configuration has mistakes: a line for each"),
  }
  const schema = { type: "object", properties: body }
  return {
    post: {
      summary,
      security: [{}, { token: [] }],
      responses,
      ...(parameters.length > 0 && { parameters }),
      ...(body !== null && { requestBody: content(schema) }),
    },
  }
}

const name: Json = { name: "name", in: "path", required: true, schema: text }
const noRoute = "Judged for its form alone: bunlb routes by neither host nor path"
const question: readonly Json[] = [
  { name: "cookie", in: "query", schema: text, description: "Value of the sticky cookie" },
  { name: "host", in: "query", schema: text, description: noRoute },
  { name: "path", in: "query", schema: text, description: noRoute },
]
const save: Json = { type: "boolean", description: "Keep it in the configuration file as well" }
const at = "/api/v1/backends/{name}"

const paths: Readonly<Record<string, Json>> = {
  "/metrics": read("Figures for Prometheus", content(text, "text/plain")),
  "/health": read("200 when a request would find a backend, else 503", content(text, "text/plain")),
  "/health/ready": read("200 while requests are taken, else 503", content(text, "text/plain")),
  "/health/workers": read("As /health, workers asked first", content(text, "text/plain")),
  "/api/v1/status": read("Backends and workers", content({ type: "object" })),
  "/api/v1/live": read("The status with rates and latencies", content({ type: "object" })),
  "/api/v1/events": read("The same each second", content(text, "text/event-stream")),
  "/api/v1/openapi.json": read("This description", content({ type: "object" })),
  "/api/v1/explain": read("Who would get a request", content(schemaRef("Explanation")), question),
  "/api/v1/reload": change("Read the configuration again", { dry_run: { type: "boolean" } }),
  "/api/v1/upgrade": change("Have the program now on disk take over", null),
  "/api/v1/backends": change("Add a backend", { backend: text, save }),
  [`${at}/drain`]: change(
    "No new requests; `grace` in milliseconds for holders of its cookie",
    { grace: { type: "integer", minimum: 0 }, save },
    [name],
  ),
  [`${at}/enable`]: change("Back to work", { save }, [name]),
  [`${at}/disable`]: change("Out at once, and not probed", { save }, [name]),
  [`${at}/weight`]: change(
    "Another weight",
    { weight: { type: "integer", minimum: 1, maximum: 1000 }, save },
    [name],
  ),
  [`${at}/remove`]: change("Remove a backend", { save }, [name]),
}

const schemas: Readonly<Record<string, Json>> = {
  Outcome: {
    type: "object",
    required: ["changes", "restart", "byHand"],
    properties: { changes: lines, restart: lines, byHand: lines, saved: text },
  },
  Explanation: {
    type: "object",
    required: ["strategy", "verdicts"],
    properties: {
      strategy: text,
      note: text,
      verdicts: {
        type: "array",
        items: {
          type: "object",
          required: ["backend", "share", "why"],
          properties: { backend: text, share: { type: "number" }, why: text },
        },
      },
    },
  },
  Error: {
    type: "object",
    required: ["error"],
    properties: {
      error: {
        type: "object",
        required: ["code", "message"],
        properties: { code: text, message: text },
      },
    },
  },
}

export function describeApi(): Json {
  return {
    openapi: "3.1.0",
    info: { title: "bunlb admin API", version },
    paths,
    components: { schemas, securitySchemes: { token: { type: "http", scheme: "bearer" } } },
  }
}
