/**
 * Why bunlb lets pass what nginx or HAProxy refuse. Every name stands with its reason in docs/http.md; a test keeps
 * both in step.
 */
interface Laxity {
  readonly kind: "request" | "response"
  readonly text: string
  readonly peer: "nginx" | "haproxy"
}

interface Explanation {
  /** As docs/http.md lists it. */
  readonly name: string
  readonly kind: Laxity["kind"]
  readonly peer: Laxity["peer"]
  readonly pattern: RegExp
}

export const explanations: readonly Explanation[] = [
  {
    name: "a path that climbs above the root, or is not well encoded",
    kind: "request",
    peer: "nginx",
    pattern: /^(\r\n)*\S+ (http:\/\/[^/ ]*)?\/\S*(\.\.|%2e%2e|%00|%(?![0-9a-f]{2}))/i,
  },
  {
    name: "a method that is not of upper-case letters",
    kind: "request",
    peer: "nginx",
    pattern: /^(\r\n)*(?![A-Z_-]+ )[-!#$%&'*+.^_`|~0-9A-Za-z]+ /,
  },
  { name: "TRACE", kind: "request", peer: "nginx", pattern: /^(\r\n)*TRACE / },
  { name: "OPTIONS *", kind: "request", peer: "nginx", pattern: /^(\r\n)*OPTIONS \* / },
  {
    name: "a tab before a value",
    kind: "request",
    peer: "nginx",
    pattern: /^(Content-Length|Transfer-Encoding|Expect|Host): ?\t/im,
  },
  {
    name: "Expect twice, or with an empty member",
    kind: "request",
    peer: "nginx",
    pattern: /^Expect:([^]*^Expect:|[^\r\n]*,)/im,
  },
  {
    name: "a host with an empty label",
    kind: "request",
    peer: "nginx",
    pattern: /^Host: .*\.\./im,
  },
  {
    name: "a long field",
    kind: "request",
    peer: "nginx",
    pattern: /[^\r\n]{8000}/,
  },
  { name: "a long field", kind: "request", peer: "haproxy", pattern: /^[^:\r\n]{256}/m },
  { name: "a long field", kind: "response", peer: "nginx", pattern: /[^\r\n]{4000}/ },
  { name: "PRI in HTTP/1.1", kind: "request", peer: "haproxy", pattern: /^(\r\n)*PRI \S+ HTTP\/1/ },
  {
    name: "an absolute target beside another Host",
    kind: "request",
    peer: "haproxy",
    pattern: /^(\r\n)*\S+ https?:\/\//i,
  },
  {
    name: "an upgrade to websocket without a key",
    kind: "request",
    peer: "haproxy",
    pattern: /^Upgrade: *websocket/im,
  },
  {
    name: "an empty member beside chunked",
    kind: "response",
    peer: "haproxy",
    pattern: /^Transfer-Encoding:[ \t]*(,[ \t,]*chunked|chunked[ \t]*,)/im,
  },
  {
    name: "a body in a GET of HTTP/1.0",
    kind: "request",
    peer: "haproxy",
    pattern: /^(\r\n)*(GET|HEAD|DELETE) \S+ HTTP\/1\.0/,
  },
]

export function explanationOf({ kind, text, peer }: Laxity): string | null {
  const found = explanations.find(
    (each) => each.kind === kind && each.peer === peer && each.pattern.test(text),
  )
  return found?.name ?? null
}
