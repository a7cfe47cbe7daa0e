/** What the admin listener answers, in the words of OpenAPI 3.1, for programs that make clients of it. */
import { version } from "../core/version.ts"

type Json = Readonly<Record<string, unknown>>

const schemaRef = (name: string): Json => ({ $ref: `#/components/schemas/${name}` })

function content(schema: Json, type = "application/json"): Json {
  return { content: { [type]: { schema } } }
}

const text = { type: "string" }
const lines = { type: "array", items: text }
const fault = (description: string): Json => ({ description, ...content(schemaRef("Error")) })

const notAllowed = fault("Another method than this one")
const broken = fault("It could not be done; the log says why")

/** A page that only reads; `others`: what it may answer beside 200. */
function read(summary: string, answer: Json, others: Json = {}): Json {
  const ok = { "200": { description: summary, ...answer } }
  const foreign = { "403": fault("Host names another machine than this one") }
  const responses = { ...ok, ...foreign, "405": notAllowed, "500": broken, ...others }
  return { get: { summary, responses } }
}

/** Everybody may ask whether all is well, under every name. */
function health(summary: string): Json {
  const line = content(text, "text/plain")
  const responses = {
    "200": { description: "All is well", ...line },
    "405": notAllowed,
    "500": broken,
    "503": { description: "What is not well", ...line },
  }
  return { get: { summary, responses } }
}

function explanation(): Json {
  const bad = {
    "400": fault("A parameter is not what it should be"),
    "404": fault("There is no such listener or pool"),
  }
  const { get } = read("Who would get a request", content(schemaRef("Explanation")), bad)
  return { get: { ...(get as Json), parameters: question } }
}

/** A request that changes something; `body` names the keys of its JSON object. */
function change(summary: string, body: Json | null, parameters: readonly Json[] = []): Json {
  const responses = {
    "200": { description: "Every worker obeys", ...content(schemaRef("Outcome")) },
    "400": fault("The body is not what it should be"),
    "401": fault("The token is missing or wrong"),
    "403": fault("Not from this machine without a token, or from a page of another site"),
    "404": fault("There is no such backend or pool"),
    "405": notAllowed,
    "409": fault("It cannot be as things stand"),
    "413": fault("The body is too long"),
    "422": fault("The configuration has mistakes: a line for each"),
    "500": broken,
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

const name: Json = {
  ...{ name: "name", in: "path", required: true, schema: text },
  description: "HOST:PORT in all pools, or POOL/HOST:PORT in one; the slash may be written %2F",
}
const noRoute = "Judged for its form alone: bunlb routes by neither host nor path"
const question: readonly Json[] = [
  { name: "cookie", in: "query", schema: text, description: "Value of the sticky cookie" },
  { name: "host", in: "query", schema: text, description: noRoute },
  { name: "path", in: "query", schema: text, description: noRoute },
  { name: "listener", in: "query", schema: text, description: "Name of the listener it comes to" },
  {
    name: "pool",
    in: "query",
    schema: text,
    description: "Name of the pool, in place of a listener",
  },
]
const save: Json = { type: "boolean", description: "Keep it in the configuration file as well" }
const at = "/api/v1/backends/{name}"

const busy = { "503": fault("Too many ask for this at once: Retry-After says when to come again") }

const paths: Readonly<Record<string, Json>> = {
  "/metrics": read("Figures for Prometheus", content(text, "text/plain"), busy),
  "/health": health("200 when a request would find a backend, else 503"),
  "/health/ready": health("200 while requests are taken, else 503"),
  "/health/workers": health("As /health, workers asked first"),
  "/api/v1/status": read("Backends and workers", content({ type: "object" }), busy),
  "/api/v1/live": read("The status with rates and latencies", content({ type: "object" }), busy),
  "/api/v1/events": read("The same each second", content(text, "text/event-stream"), {
    "503": fault("Too many watch already"),
  }),
  "/api/v1/openapi.json": read("This description", content({ type: "object" })),
  "/api/v1/explain": explanation(),
  "/api/v1/reload": change("Read the configuration again", { dry_run: { type: "boolean" } }),
  "/api/v1/upgrade": change("Have the program now on disk take over", null),
  "/api/v1/backends": change("Add a backend", {
    backend: text,
    pool: { type: "string", description: "Name of its pool; or the backend begins with POOL/" },
    save,
  }),
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
      pool: text,
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
