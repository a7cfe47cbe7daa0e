/**
 * The three under comparison, each with one worker, HTTP/1.1 and keep-alive to one backend, and otherwise as their
 * packages ship them: what they refuse by default is the question.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Subprocess } from "bun"
import { until } from "../../test/support/until.ts"

export const peerNames = ["bunlb", "nginx", "haproxy"] as const
export type PeerName = (typeof peerNames)[number]

const READY_MS = 10_000
const root = join(import.meta.dir, "..", "..")

export class Peers {
  readonly #folder = mkdtempSync(join(tmpdir(), "bunlb-differential-"))
  readonly #children: Subprocess[] = []

  /** Starts one in front of the backend; resolves with its port when it listens. */
  async start(name: PeerName, backend: number): Promise<number> {
    const port = freePort()
    const command = this.#commandOf(name, port, backend)
    const child = Bun.spawn(command, { stdio: ["ignore", "ignore", "inherit"] })
    this.#children.push(child)
    await until(
      () => {
        if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}`)
        return accepts(port)
      },
      READY_MS,
      `${name} on port ${port}`,
    )
    return port
  }

  async stop(): Promise<void> {
    for (const child of this.#children) child.kill("SIGTERM")
    const late = Bun.sleep(3000).then(() => {
      for (const child of this.#children) child.kill("SIGKILL")
    })
    await Promise.race([Promise.all(this.#children.map(({ exited }) => exited)), late])
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #commandOf(name: PeerName, port: number, backend: number): string[] {
    const file = join(this.#folder, `${name}.conf`)
    switch (name) {
      case "bunlb": {
        const place = ["-m", "sp", "-h", "127.0.0.1", "-p", String(port)]
        const quiet = ["--admin", "off", "--health-type", "none", "-l", "err"]
        const main = join(root, "src", "main.ts")
        return [process.execPath, main, "run", ...place, "-b", `127.0.0.1:${backend}`, ...quiet]
      }
      case "nginx":
        writeFileSync(file, nginxConfig(this.#folder, port, backend))
        return ["nginx", "-p", this.#folder, "-e", "stderr", "-c", file]
      case "haproxy":
        writeFileSync(file, haproxyConfig(port, backend))
        return ["haproxy", "-db", "-q", "-f", file]
    }
  }
}

function nginxConfig(folder: string, port: number, backend: number): string {
  return `
    worker_processes 1;
    daemon off;
    master_process off;
    pid ${folder}/nginx.pid;
    error_log /dev/null;
    events {}
    http {
      access_log off;
      client_body_temp_path ${folder}/body;
      proxy_temp_path ${folder}/proxy;
      fastcgi_temp_path ${folder}/fastcgi;
      uwsgi_temp_path ${folder}/uwsgi;
      scgi_temp_path ${folder}/scgi;
      upstream back { server 127.0.0.1:${backend}; keepalive 16; }
      server {
        listen 127.0.0.1:${port};
        location / {
          proxy_pass http://back;
          proxy_http_version 1.1;
          proxy_set_header Connection "";
          proxy_set_header Host $http_host;
        }
      }
    }
  `
}

function haproxyConfig(port: number, backend: number): string {
  return `
defaults
  mode http
  timeout connect 3s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend front
  bind 127.0.0.1:${port}
  default_backend back
backend back
  server one 127.0.0.1:${backend}
`
}

async function accepts(port: number): Promise<boolean> {
  try {
    const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } })
    socket.end()
    return true
  } catch {
    return false
  }
}

function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
  const { port } = listener
  listener.stop(true)
  return port
}
