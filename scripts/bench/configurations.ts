/**
 * How each peer is set up, as fair as we know how: keep-alive on both sides, up to 2,048 backend connections kept,
 * no access log, the same fields added for the backend (X-Forwarded-For, -Proto and -Host, X-Real-IP, X-Request-Id,
 * Via), probes every 5 s where there are any, certificates unverified by all, and no limit that would close a busy
 * or an idle connection during a run.
 */
export interface Setup {
  readonly port: number
  readonly origin: number
  /** The origin speaks TLS. */
  readonly tls: boolean
  readonly workers: number
  readonly folder: string
}

export function nginxPeer({ port, origin, tls, workers, folder }: Setup): string {
  return nginx(
    "peer",
    folder,
    workers,
    `upstream origin {
    server 127.0.0.1:${origin};
    keepalive 2048;
    keepalive_requests 1000000000;
    keepalive_time 1h;
  }
  proxy_http_version 1.1;
  proxy_buffer_size 16k;
  proxy_buffers 16 16k;
  client_body_buffer_size 64k;
  proxy_set_header Connection "";
  proxy_set_header Host $http_host;
  proxy_set_header X-Forwarded-For $remote_addr;
  proxy_set_header X-Forwarded-Proto $scheme;
  proxy_set_header X-Forwarded-Host $http_host;
  proxy_set_header X-Real-IP $remote_addr;
  proxy_set_header X-Request-Id $request_id;
  proxy_set_header Via "1.1 nginx";
  server {
    listen 127.0.0.1:${port} backlog=4096${workers > 1 ? " reuseport" : ""};
    location / { proxy_pass ${tls ? "https" : "http"}://origin; }
  }`,
  )
}

export function haproxyPeer({ port, origin, tls, workers }: Setup): string {
  return `global
  nbthread ${workers}
  maxconn 10500
  no strict-limits
  tune.pool-low-fd-ratio 90
  tune.pool-high-fd-ratio 90
defaults
  mode http
  timeout connect 3s
  timeout client 1h
  timeout server 60s
  timeout http-keep-alive 1h
  http-reuse always
  option forwardfor
  option httpchk GET /
frontend front
  bind 127.0.0.1:${port} backlog 4096
  unique-id-format %{+X}o%pid-%Ts-%rt
  unique-id-header X-Request-Id
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Real-IP %[src]
  http-request add-header Via "1.1 haproxy"
  default_backend back
backend back
  server origin 127.0.0.1:${origin} pool-max-conn 2048 check inter 5s${tls ? " ssl verify none" : ""}
`
}

export function caddyPeer({ port, origin, tls }: Setup): string {
  return `{
  admin off
  auto_https off
  log {
    level ERROR
  }
  servers {
    timeouts {
      idle 1h
    }
  }
}
http://:${port} {
  bind 127.0.0.1
  reverse_proxy 127.0.0.1:${origin} {
    health_uri /
    health_interval 5s
    header_up X-Real-IP {remote_host}
    header_up X-Request-Id {http.request.uuid}
    header_up Via "1.1 caddy"
    transport http {
      compression off
      keepalive 1h
      keepalive_idle_conns_per_host 2048${tls ? "\n      tls_insecure_skip_verify" : ""}
    }
  }
}
`
}

export interface OriginPorts {
  readonly plain: number
  readonly tls: number
}

/** The web server behind. It listens on all of 127/8, so that it can pose as many backends. */
export function originServer({ plain, tls }: OriginPorts, folder: string): string {
  const fields = [
    "Cache-Control private",
    "ETag 6b043ffe-12",
    "Vary Accept-Encoding",
    "X-Content-Type-Options nosniff",
    "X-Frame-Options DENY",
    "Referrer-Policy same-origin",
    "Strict-Transport-Security max-age=31536000",
  ]
  return nginx(
    "origin",
    folder,
    1,
    `large_client_header_buffers 4 64k;
  client_body_buffer_size 64k;
  default_type text/html;
  server {
    listen ${plain} backlog=4096;
    listen ${tls} ssl backlog=4096;
    ssl_certificate ${folder}/origin.pem;
    ssl_certificate_key ${folder}/origin.key;
    root ${folder};
    location = / { return 200 "well\\n"; }
    location = /status { stub_status; }
    location = /small { return 200 "hello from behind\\n"; }
    location = /chunked { ssi on; }
    location /browser {
      ${fields.map((field) => `add_header ${field};`).join("\n      ")}
      return 200 "hello from behind\\n";
    }
  }`,
  )
}

function nginx(name: string, folder: string, workers: number, http: string): string {
  return `worker_processes ${workers};
daemon off;
pid ${folder}/${name}.pid;
error_log stderr crit;
events { worker_connections 16000; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_timeout 1h;
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
