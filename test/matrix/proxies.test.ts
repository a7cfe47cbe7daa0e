/**
 * Other proxies in front of bunlb, each with the HTTP client that it is built on (Caddy's is Go's own): their kept
 * connections, their chunks and their early reads must suit bunlb as any client's do.
 */
import { expect } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { run, Server, testWith } from "./programs.ts"
import { node, seen, start } from "./site.ts"

type Command = (to: number) => (port: number, folder: string) => readonly string[]

const nginx: Command = (to) => (port, folder) => {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
  const file = join(folder, "nginx.conf")
  writeFileSync(
    file,
    `${process.getuid?.() === 0 ? "user root;" : ""}
    worker_processes 1;
    daemon off;
    pid ${folder}/nginx.pid;
    error_log stderr crit;
    events {}
    http {
      access_log off;
      client_max_body_size 100m;
      ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join("\n")}
      upstream bunlb {
        server 127.0.0.1:${to};
        keepalive 8;
      }
      server {
        listen 127.0.0.1:${port};
        location / {
          proxy_pass http://bunlb;
          proxy_http_version 1.1;
          proxy_set_header Connection "";
          proxy_request_buffering off;
        }
      }
    }`,
  )
  return ["nginx", "-p", folder, "-e", "stderr", "-c", file]
}

const haproxy: Command = (to) => (port, folder) => {
  const file = join(folder, "haproxy.cfg")
  const text = `
global
  nbthread 1
defaults
  mode http
  timeout connect 3s
  timeout client 10s
  timeout server 10s
  http-reuse always
frontend front
  bind 127.0.0.1:${port}
  default_backend back
backend back
  server bunlb 127.0.0.1:${to}
`
  writeFileSync(file, text)
  return ["haproxy", "-db", "-f", file]
}

const caddy: Command = (to) => (port, folder) => {
  const file = join(folder, "Caddyfile")
  const site = `http://:${port} {\n  bind 127.0.0.1\n  reverse_proxy 127.0.0.1:${to}\n}\n`
  writeFileSync(file, `{\n  admin off\n  auto_https off\n}\n${site}`)
  return ["caddy", "run", "--config", file, "--adapter", "caddyfile"]
}

for (const [program, command] of [
  ["nginx", nginx],
  ["haproxy", haproxy],
  ["caddy", caddy],
] as const) {
  testWith(program, "node")(`${program} in front of bunlb: its clients see all of it`, async () => {
    using site = await start()
    await using front = await Server.start(command(site.port), "/")
    const { payload, ...facts } = JSON.parse(await run(node("fetch")(front.port)))
    expect(facts).toEqual(seen(payload))
    // Six requests and some probes of ours on far fewer connections: the front keeps them.
    expect(site.balancer.figure("bunlb_client_connections_total")).toBeLessThan(6)
    expect(site.balancer.figure("bunlb_rejected_requests_total")).toBe(0)
  })
}
