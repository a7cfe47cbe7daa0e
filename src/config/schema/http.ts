/** Settings of what requests and responses carry, and of how strictly they are read. */
import { isKeepable } from "../../http/fields.ts"
import { network } from "./address.ts"
import type { ValueType } from "./setting.ts"
import type { RequestIdPolicy, ViaPolicy } from "./settings.ts"
import { boolean, list, oneOf, stringLike, text } from "./value-types.ts"
import { group, token, type SchemaRows } from "./row.ts"

const http = group("HTTP")

const fieldName = text(token, "a field name", "NAME")

/** Fields that say where a request came from, less those that bunlb itself writes or has a setting for. */
const forwardedName: ValueType<string> = {
  ...fieldName,
  read(input, refuse) {
    const name = fieldName.read(input, refuse)?.toLowerCase()
    if (name === undefined || isKeepable(name)) return name
    return refuse(
      `expected a field such as X-Forwarded-Prefix, got ${JSON.stringify(name)}, which is not dropped or always set`,
    )
  },
}

const UNIX = "unix:"

/** Who connects: an address, a network, or any process on a unix socket. */
const peer: ValueType<string> = {
  ...network,
  expects: `${network.expects}, or ${UNIX} for unix sockets`,
  read: (input, refuse) => (input === UNIX ? UNIX : network.read(input, refuse)),
  json: stringLike("^(unix:|[0-9A-Fa-f:.]+(/\\d{1,3})?)$"),
}

export const httpRows = {
  trusted_proxies: http(
    list(peer, 256),
    [],
    "Proxies in front whose X-Forwarded-* fields are believed",
    { defaultText: "none" },
  ),
  forwarded: http(boolean, false, "Add a Forwarded field (RFC 7239) to requests"),
  forwarded_keep: http(
    list(forwardedName, 64),
    [],
    "Fields such as X-Forwarded-Prefix to keep from any client, not from trusted proxies alone",
    { defaultText: "none" },
  ),
  request_id: http(
    oneOf<RequestIdPolicy>(["own", "trusted", "client"]),
    "trusted",
    "Whose X-Request-Id is kept: nobody's (own), that of trusted proxies, or any client's",
  ),
  via: http(
    oneOf<ViaPolicy>(["off", "request", "response", "both"], { false: "off" }),
    "off",
    "Messages that get a Via field; on requests it switches compression off in some servers",
  ),
  "http.bare_lf": http(
    oneOf<"refuse" | "accept">(["refuse", "accept"]),
    "refuse",
    "Lines that end with LF alone, as old clients and backends send them",
  ),
} satisfies Partial<SchemaRows>
