/** Settings of time, size, pooled connections and retries. */
import { duration, integer, size } from "./value-types.ts"
import { group, HOUR, KIB, limit, MINUTE, SECOND, type SchemaRows } from "./row.ts"

const times = group("Time limits")
const keepalive = group("TCP keepalive")
const sizes = group("Size limits")
const pool = group("Connection pool")
const retries = group("Retries")

export const limitsRows = {
  "timeouts.connect": times(limit, 3 * SECOND, "Connect to a backend"),
  "timeouts.tls_handshake": times(limit, 5 * SECOND, "TLS handshake with a backend"),
  "timeouts.client_head": times(limit, 10 * SECOND, "A client's whole request head"),
  "timeouts.client_idle": times(limit, 75 * SECOND, "A client connection between two requests"),
  "timeouts.client_body": times(limit, 30 * SECOND, "A request body without a new byte"),
  "timeouts.client_read": times(
    limit,
    MINUTE,
    "A client that acknowledges nothing of a response; a slow one that reads on is never cut",
  ),
  "timeouts.response_head": times(limit, 60 * SECOND, "A backend's response head"),
  "timeouts.backend_body": times(limit, 60 * SECOND, "A response body without a new byte"),
  "timeouts.pool_idle": times(limit, 30 * SECOND, "An unused connection to a backend"),
  "timeouts.tunnel_idle": times(limit, HOUR, "A WebSocket or other tunnel without a byte"),
  "timeouts.drain": times(duration(0, 168 * HOUR), 30 * SECOND, "Requests in flight at a stop"),

  "keepalive.client": keepalive(
    duration(0, HOUR, 1),
    MINUTE,
    "Silence after which TCP asks whether a client is still there; 0 never asks",
  ),
  "keepalive.backend": keepalive(
    duration(0, HOUR, 1),
    MINUTE,
    "Silence after which TCP asks whether a backend is still there; 0 never asks",
  ),

  "limits.head_bytes": sizes(size(KIB, 256 * KIB), 16 * KIB, "A request head"),
  "limits.fields": sizes(integer(1, 1_000), 100, "Fields in a head"),
  "limits.request_line_bytes": sizes(size(256, 64 * KIB), 8 * KIB, "A request line"),
  "limits.response_head_bytes": sizes(size(KIB, 1_024 * KIB), 64 * KIB, "A response head"),
  "limits.connections": sizes(
    integer(0, 1_000_000),
    0,
    "Client connections of one worker; 0: what the descriptor limit allows",
  ),
  "limits.connections_per_client": sizes(
    integer(0, 1_000_000),
    0,
    "Connections of one address to one worker, trusted proxies aside; 0: no limit",
  ),

  "pool.idle": pool(integer(0, 65_535), 512, "Unused connections kept, per backend and worker"),
  "pool.max_age": pool(limit, 5 * MINUTE, "Age at which a connection is not reused"),

  "retries.max": retries(integer(0, 10), 2, "Times one request may be sent again"),
  "retries.budget_percent": retries(integer(0, 100), 20, "Retries allowed, as a share of requests"),
  "retries.budget_floor": retries(integer(0, 1_000_000), 10, "Retries always allowed, per second"),
  "retries.replay_bytes": retries(
    size(0, 1_024 * KIB),
    64 * KIB,
    "Body bytes kept so that a request can be sent again",
  ),
} satisfies Partial<SchemaRows>
