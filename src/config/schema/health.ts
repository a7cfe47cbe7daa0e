/** Settings of health checks and of sticky sessions. */
import { hostField } from "./address.ts"
import {
  duration,
  integer,
  lengthAlone,
  list,
  oneOf,
  optional,
  statusRange,
  text,
} from "./value-types.ts"
import { group, HOUR, SECOND, token, type SchemaRows } from "./row.ts"

const health = group("Health checks")
const sticky = group("Sticky sessions")

export const healthRows = {
  "health.type": health(
    oneOf<"http" | "tcp" | "none">(["http", "tcp", "none"]),
    "http",
    "Ask for a page, only connect, or send no probe",
  ),
  "health.path": health(
    text(/^\/[\x21-\x7e]{0,1023}$/, 'a path that begins with "/"', "PATH"),
    "/",
    "Page to ask for",
  ),
  "health.interval": health(
    duration(100, HOUR),
    5 * SECOND,
    "Time between two probes of a backend",
  ),
  "health.timeout": health(duration(10, HOUR), 2 * SECOND, "Time for a probe to succeed"),
  "health.expect": health(
    list(statusRange, 16),
    [[200, 200]],
    "Status codes of a backend that is well",
  ),
  "health.host": health(optional(hostField, "the backend's own"), null, "Host field of the probe"),
  "health.failures": health(integer(1, 100), 3, "Failures in a row that take a backend out"),
  "health.successes": health(integer(1, 100), 2, "Successes in a row that bring it back"),
  "health.backoff": health(
    integer(1, 64),
    1,
    "Upper limit of the success multiplier for flapping backends; 1: off",
  ),
  "health.slow_start": health(
    duration(0, HOUR),
    0,
    "Time in which the share of a backend that has come back grows; 0: all at once",
  ),

  "sticky.cookie": sticky(text(token, "a cookie name", "NAME"), "bunlb", "Name of the cookie"),
  "sticky.secure": sticky(
    oneOf<"auto" | "on" | "off">(["auto", "on", "off"], { true: "on", false: "off" }),
    "auto",
    "Secure attribute; auto: when the client came over TLS",
  ),
  "sticky.same_site": sticky(
    oneOf<"lax" | "strict" | "none">(["lax", "strict", "none"]),
    "lax",
    "SameSite attribute",
  ),
  "sticky.max_age": sticky(
    duration(0, 8_784 * HOUR, SECOND),
    0,
    "Life of the cookie; 0 ends it with the browser session",
  ),
  "sticky.key": sticky(
    optional(
      text(/^[\x21-\x7e]{16,256}$/, "16 to 256 characters without spaces", "KEY", lengthAlone),
      "a random key until bunlb is restarted",
    ),
    null,
    "Secret that makes cookies; instances with the same key accept each other's",
    { secret: true },
  ),
} satisfies Partial<SchemaRows>
