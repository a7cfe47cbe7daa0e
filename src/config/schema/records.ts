/** Settings of the access log and of DNS. */
import { nameServer } from "./address.ts"
import { duration, integer, list, oneOf, optional, text } from "./value-types.ts"
import { group, HOUR, token, type SchemaRows } from "./row.ts"

/** Query parameters that carry secrets more often than not. */
const secretParameters = [
  ..."access_token api_key apikey auth authorization key passwd password".split(" "),
  ..."secret session sig signature token".split(" "),
]

const accessLog = group("Access log")
const dns = group("DNS")

export const recordsRows = {
  "access_log.format": accessLog(
    oneOf<"off" | "json" | "combined">(["off", "json", "combined"]),
    "off",
    "One line for every request",
    { alias: "access-log" },
  ),
  "access_log.path": accessLog(
    text(/^[^\x00-\x1f]{1,4096}$/, "stdout or the name of a file", "FILE"),
    "stdout",
    "Where the lines go; SIGUSR1 opens the file again",
  ),
  "access_log.min_status": accessLog(
    integer(0, 599, "STATUS"),
    0,
    "Always write lines of this status and above; 0: no such rule",
  ),
  "access_log.slower_than": accessLog(
    duration(0, HOUR),
    0,
    "Always write lines of requests that take this long; 0: no such rule",
  ),
  "access_log.sample_percent": accessLog(
    optional(integer(0, 100), "100, or 0 with a rule"),
    null,
    "Share of all other lines",
  ),
  "access_log.fields": accessLog(
    list(text(token, "a field name", "NAME"), 32),
    [],
    "Request fields to write as well; those that carry secrets masked",
    { defaultText: "none" },
  ),
  "access_log.redact": accessLog(
    list(text(token, "a parameter name", "NAME"), 256),
    secretParameters,
    "Query parameters whose values are masked; * masks all",
    { defaultText: "access_token, password and the like" },
  ),

  "dns.servers": dns(
    list(nameServer, 8),
    [],
    "Name servers to ask instead of the system's; names must then be whole",
    { defaultText: "those of /etc/resolv.conf" },
  ),
  "dns.max_backends": dns(
    integer(1, 1_024),
    256,
    "Backends that one dns+http:// or srv+http:// may stand for; the rest is left out",
  ),
  "dns.family": dns(
    oneOf<"any" | "ipv4" | "ipv6">(["any", "ipv4", "ipv6"]),
    "any",
    "Address family to look up for names; addresses that are written out are used as they are",
  ),
} satisfies Partial<SchemaRows>
