/**
 * What a request to the admin listener asks for. The Host field stands in the address of a request as it came, so the
 * address of a request with an odd Host field is none.
 */

import type { AdminRequest } from "./http-request.ts"

/** Null when the Host field names no host. Without one, as in HTTP/1.0, the path alone counts. */
export function targetOf({ url, headers }: AdminRequest): URL | null {
  const host = headers.get("host") ?? ""
  return URL.parse(host === "" && url.startsWith("/") ? `http://localhost${url}` : url)
}
