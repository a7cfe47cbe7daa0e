/** How each real server is told to serve the same site: /small, /large, and uploads that can be read back. */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { scripts } from "./programs.ts"

export const small = "hello from behind\n"
export const large = Buffer.alloc(20_000_000)
for (let at = 0, state = 7; at < large.length; at += 4) {
  state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
  large.writeUInt32LE(state, at)
}

export interface RealServer {
  readonly name: string
  readonly program: string
  readonly command: (port: number, folder: string) => readonly string[]
  /** `store`: PUT keeps the body for GET; `echo`: PUT answers with it; `none`: no uploads. */
  readonly uploads: "store" | "echo" | "none"
  /** Of the eight requests in the first test: Python's own errors close the connection. */
  readonly reuses: number
}

export const servers: readonly RealServer[] = [
  { name: "nginx", program: "nginx", command: nginx, uploads: "store", reuses: 7 },
  { name: "Apache", program: "apache2", command: apache, uploads: "store", reuses: 7 },
  { name: "Caddy", program: "caddy", command: caddy, uploads: "echo", reuses: 7 },
  { name: "Node http", program: "node", command: node, uploads: "store", reuses: 7 },
  {
    name: "Python HTTP/1.1",
    program: "python3",
    command: python11,
    uploads: "store",
    reuses: 6,
  },
  {
    name: "Python http.server",
    program: "python3",
    command: python10,
    uploads: "none",
    reuses: 0,
  },
]

/** The site in a folder of `folder`: servers that give up root must read and write it. */
function site(folder: string): string {
  const root = join(folder, "site")
  mkdirSync(join(root, "uploads"), { recursive: true })
  writeFileSync(join(root, "small"), small)
  writeFileSync(join(root, "large"), large)
  for (const each of [folder, root, join(root, "uploads")]) chmodSync(each, 0o777)
  return root
}

function write(folder: string, name: string, text: string): string {
  const file = join(folder, name)
  writeFileSync(file, text)
  return file
}

function nginx(port: number, folder: string): readonly string[] {
  const root = site(folder)
  const file = write(
    folder,
    "nginx.conf",
    `${process.getuid?.() === 0 ? "user root;" : ""}
    worker_processes 1;
    daemon off;
    pid ${folder}/nginx.pid;
    error_log stderr crit;
    events {}
    http {
      access_log off;
      sendfile on;
      client_max_body_size 100m;
      client_body_temp_path ${folder}/body;
      proxy_temp_path ${folder}/proxy;
      fastcgi_temp_path ${folder}/fastcgi;
      uwsgi_temp_path ${folder}/uwsgi;
      scgi_temp_path ${folder}/scgi;
      server {
        listen 127.0.0.1:${port};
        root ${root};
        location /uploads/ { dav_methods PUT; }
      }
    }`,
  )
  return ["nginx", "-p", folder, "-e", "stderr", "-c", file]
}

function apache(port: number, folder: string): readonly string[] {
  const root = site(folder)
  const modules = ["mpm_event", "authz_core", "dav", "dav_fs"]
  const file = write(
    folder,
    "apache.conf",
    `${modules.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`).join("\n")}
    ServerRoot ${folder}
    DefaultRuntimeDir ${folder}
    ServerName localhost
    User www-data
    Group www-data
    PidFile ${folder}/apache.pid
    Listen 127.0.0.1:${port}
    ErrorLog ${folder}/error.log
    LogLevel crit
    DavLockDB ${folder}/davlock
    DocumentRoot ${root}
    <Directory ${root}>
      Require all granted
    </Directory>
    <Directory ${root}/uploads>
      Dav On
    </Directory>`,
  )
  return ["apache2", "-d", folder, "-f", file, "-DFOREGROUND"]
}

function caddy(port: number, folder: string): readonly string[] {
  const root = site(folder)
  const file = write(
    folder,
    "Caddyfile",
    `{
      admin off
      auto_https off
    }
    http://:${port} {
      bind 127.0.0.1
      root * ${root}
      handle /uploads/* {
        respond "{http.request.body}" 200
      }
      handle {
        file_server
      }
    }`,
  )
  return ["caddy", "run", "--config", file, "--adapter", "caddyfile"]
}

function node(port: number, folder: string): readonly string[] {
  return ["node", join(scripts, "server.cjs"), `${port}`, site(folder)]
}

function python11(port: number, folder: string): readonly string[] {
  return ["python3", join(scripts, "server.py"), `${port}`, site(folder)]
}

function python10(port: number, folder: string): readonly string[] {
  return ["python3", "-m", "http.server", `${port}`, "--bind", "127.0.0.1", "-d", site(folder)]
}
