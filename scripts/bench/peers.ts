/**
 * Who is compared: each is one process (one thread) with keep-alive on both sides, no access log, and the same
 * forwarded fields added. Limits that close busy connections are lifted for all. nginx and HAProxy do a little
 * less than bunlb, which also adds Via and X-Request-Id.
 */
import { existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { freePort, Program } from "./program.ts"

export const peerNames = ["bunlb", "nginx", "haproxy", "relay"] as const
export type PeerName = (typeof peerNames)[number]

export interface Place {
  /** A folder for configurations and whatever the programs want to write. */
  readonly folder: string
  readonly core: number
}

export interface Running {
  readonly port: number
  readonly program: Program
}

const root = join(import.meta.dir, "..", "..")

export async function startPeer(name: PeerName, origin: number, place: Place): Promise<Running> {
  const port = freePort()
  const command = commands[name](port, origin, place.folder)
  return { port, program: await Program.start(name, command, place.core, port) }
}

/** The web server behind: a small answer at /small, a file of 100 KB at /large. */
export async function startOrigin(place: Place): Promise<Running> {
  const port = freePort()
  writeFileSync(join(place.folder, "large"), Buffer.alloc(100_000, "bunlb"))
  const config = nginxConfig(
    place.folder,
    `server {
      listen 127.0.0.1:${port} backlog=4096;
      root ${place.folder};
      location = /small { return 200 "hello from behind\\n"; }
    }`,
  )
  const command = nginxCommand(place.folder, "origin.conf", config)
  return { port, program: await Program.start("origin", command, place.core, port) }
}

const commands: Record<PeerName, (port: number, origin: number, folder: string) => string[]> = {
  bunlb: (port, origin) => {
    const executable = join(root, "dist", "bunlb")
    const program = existsSync(executable)
      ? [executable]
      : [process.execPath, join(root, "src", "main.ts")]
    const place = ["-h", "127.0.0.1", "-p", String(port), "-b", `127.0.0.1:${origin}`]
    return [...program, "run", ...place, "-w", "1", "--no-pin", "--admin", "off", "-l", "warn"]
  },
  nginx: (port, origin, folder) => {
    const config = nginxConfig(
      folder,
      `upstream origin {
        server 127.0.0.1:${origin};
        keepalive 128;
        keepalive_requests 1000000000;
        keepalive_time 1h;
      }
      proxy_http_version 1.1;
      proxy_buffers 16 16k;
      proxy_buffer_size 16k;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header X-Real-IP $remote_addr;
      server {
        listen 127.0.0.1:${port} backlog=4096;
        location / { proxy_pass http://origin; }
      }`,
    )
    return nginxCommand(folder, "nginx.conf", config)
  },
  haproxy: (port, origin, folder) => {
    const file = join(folder, "haproxy.cfg")
    writeFileSync(file, haproxyConfig(port, origin))
    return ["haproxy", "-db", "-f", file]
  },
  relay: (port, origin) => {
    return [process.execPath, join(import.meta.dir, "relay.ts"), String(port), String(origin)]
  },
}

function nginxConfig(folder: string, http: string): string {
  return `
    worker_processes 1;
    daemon off;
    pid ${folder}/nginx-${freePort()}.pid;
    error_log stderr crit;
    events { worker_connections 8192; }
    http {
      access_log off;
      sendfile on;
      tcp_nopush on;
      keepalive_requests 1000000000;
      keepalive_time 1h;
      client_body_temp_path ${folder}/body;
      proxy_temp_path ${folder}/proxy;
      fastcgi_temp_path ${folder}/fastcgi;
      uwsgi_temp_path ${folder}/uwsgi;
      scgi_temp_path ${folder}/scgi;
      ${http}
    }
  `
}

function nginxCommand(folder: string, name: string, config: string): string[] {
  const file = join(folder, name)
  writeFileSync(file, config)
  return ["nginx", "-p", folder, "-e", "stderr", "-c", file]
}

function haproxyConfig(port: number, origin: number): string {
  return `
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 3s
  timeout client 75s
  timeout server 60s
  timeout http-keep-alive 75s
  http-reuse always
  option forwardfor
frontend front
  bind 127.0.0.1:${port} backlog 4096
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Real-IP %[src]
  default_backend back
backend back
  server origin 127.0.0.1:${origin} pool-max-conn 128
`
}
