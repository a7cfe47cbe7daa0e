/**
 * The mistakes that docs/mistakes.md shows, in its order: what is typed, what lies beside it, and under which
 * circumstances. What is printed is not here: it is asked of bunlb itself.
 */
export interface Mistake {
  readonly title: string
  /** The words after `bunlb`. */
  readonly words: readonly string[]
  readonly file?: readonly [name: string, text: string]
  readonly env?: Readonly<Record<string, string>>
}

export interface MistakeGroup {
  readonly title: string
  readonly mistakes: readonly Mistake[]
}

const two = ["-b", "10.0.0.1:8080", "-b", "10.0.0.2:8080"]

function typed(title: string, line: string): Mistake {
  return { title, words: line.split(" ").filter(Boolean) }
}

function written(title: string, text: string, name = "bunlb.yaml"): Mistake {
  return { title, words: ["-c", name], file: [name, text] }
}

/** They end by themselves, and need nothing but bunlb. */
export const still: readonly MistakeGroup[] = [
  {
    title: "On the command line",
    mistakes: [
      typed("No backend", ""),
      typed("A backend without its port", "-b 10.0.0.1"),
      typed("Two backends in one flag", "-b 10.0.0.1:8080,10.0.0.2:8080"),
      typed("Two backends after one flag", "-b 10.0.0.1:8080 10.0.0.2:8080"),
      typed("An option away from its backend", "-b 10.0.0.1:8080 weight=3"),
      typed("An option that backends have elsewhere", "-b 10.0.0.1:8080,max_fails=3"),
      typed("A weight that is no number", "-b 10.0.0.1:8080,weight=abc"),
      typed("A scheme that is not HTTP", "-b tcp://10.0.0.1:8080"),
      typed("A unix socket", "-b unix:/run/app.sock"),
      typed("A path behind a backend", "-b http://10.0.0.1:8080/api"),
      typed("IPv6 without brackets", "-b ::1:8080"),
      typed("A flag misspelt", `--prot 80 ${two.join(" ")}`),
      typed("A long flag with one dash", "-port 80 -b 10.0.0.1:8080"),
      typed("A flag of another balancer", `--bind 80 ${two.join(" ")}`),
      typed("A listener without its colon", `--listen 80 ${two.join(" ")}`),
      typed("A pool without a name", "--pool 10.0.0.1:8080"),
      typed("A certificate for clients", `--tls-cert site.pem ${two.join(" ")}`),
      typed("A duration without its unit", `--health-interval 5 ${two.join(" ")}`),
      typed("A word that is none of the choices", `-s roundrobin ${two.join(" ")}`),
      typed("Address and port in one", `-h 127.0.0.1:80 ${two.join(" ")}`),
      typed("A name to listen on", `-h example.com ${two.join(" ")}`),
      typed("An address of another machine", `-h 192.0.2.1 ${two.join(" ")}`),
      typed("A command behind its flags", "-c bunlb.yaml check"),
      typed("A file without its flag", "check bunlb.yaml"),
      typed("A CA file that is not there", "check -b https://10.0.0.1:8443,ca=ca.pem"),
      typed("A command of another program", "stop"),
      {
        title: "A variable misspelt",
        words: ["-b", "10.0.0.1:8080"],
        env: { BUNLB_HELTH_INTERVAL: "2s" },
      },
      {
        title: "A variable by another name",
        words: ["-b", "10.0.0.1:8080"],
        env: { BUNLB_MAX_CONNECTIONS: "1000" },
      },
      {
        title: "Commas between the backends of a variable",
        words: [],
        env: { BUNLB_BACKENDS: "10.0.0.1:8080,10.0.0.2:8080" },
      },
      {
        title: "A file that is there and not named",
        words: [],
        file: ["bunlb.yaml", "backends: [10.0.0.1:8080]\n"],
      },
      typed("A weight of 0", "-b 10.0.0.1:8080,weight=0 -b 10.0.0.2:8080"),
    ],
  },
  {
    title: "In the file",
    mistakes: [
      typed("Two files", "-c bunlb.yaml -c more.yaml"),
      typed("A file that is not there", "-c bunlb.yml"),
      written("A file of nginx", "server {\n  listen 80;\n}\n", "nginx.conf"),
      written(
        "Several faults at once",
        "prot: 80\nbackends:\n  - 10.0.0.1\nhealth:\n  interval: 5\n",
      ),
      written("A key of another balancer", "upstreams:\n  - 10.0.0.1:8080\n"),
      written("A backend that is no list", "backends: 10.0.0.1:8080\n"),
      written("A backend of another balancer", "backends:\n  - url: http://10.0.0.1:8080\n"),
      written(
        "The address and the port of another balancer",
        "backends:\n  - { address: 10.0.0.1, port: 8080, weight: 2 }\n",
      ),
      written("An option that YAML has split off", "backends: [https://10.0.0.1:8443,ca=ca.pem]\n"),
      written("An option in a line below", "backends:\n  - 10.0.0.1:8080\n    weight: 3\n"),
      written("An option behind a blank", "backends:\n  - 10.0.0.1:8080 weight=3\n"),
      written(
        "A setting below a table of TOML",
        '[health]\npath = "/"\nbackends = ["10.0.0.1:8080"]\n',
        "bunlb.toml",
      ),
      written("A limit that bunlb does not have", "rate_limit: 100\nbackends: [10.0.0.1:8080]\n"),
      written("A time limit by another name", "timeouts:\n  read: 5s\nbackends: [10.0.0.1:8080]\n"),
      written(
        "Lines of a list that are not in one column",
        "backends:\n  - 10.0.0.1:8080\n   - 10.0.0.2:8080\n",
      ),
      written("A tab", "backends:\n\t- 10.0.0.1:8080\n"),
      written("A key twice", "port: 80\nbackends: [10.0.0.1:8080]\nport: 81\n"),
      written("A variable that is not set", "port: ${PORT}\nbackends: [10.0.0.1:8080]\n"),
      written("A comma too many", '{ "backends": ["10.0.0.1:8080",] }\n', "bunlb.json"),
      written(
        "A port beside listeners",
        'port: 8080\nlisteners: { web: ":80" }\nbackends: [10.0.0.1:8080]\n',
      ),
      written(
        "A listener whose pool is not there",
        'listeners: { web: { address: ":80", pool: apj } }\npools: { api: [10.0.0.1:8080] }\n',
      ),
      written(
        "A setting of listeners in a pool",
        "pools:\n  default:\n    backends: [10.0.0.1:8080]\n    trusted_proxies: [10.0.0.0/8]\n",
      ),
      written(
        "Two listeners with one address",
        'listeners: { web: ":80", more: "0.0.0.0:80" }\nbackends: [10.0.0.1:8080]\n',
      ),
      written("A file without backends", "port: 8080\n"),
    ],
  },
  {
    title: "Legal, and seldom meant",
    mistakes: [
      typed("bunlb as its own backend", "check -p 8000 -b 127.0.0.1:8000 -b 10.0.0.2:8000"),
      typed("Weights that nothing looks at", "check -b 10.0.0.1:8080,weight=3 -b 10.0.0.2:8080"),
      {
        title: "A pool that no listener names",
        words: ["check", "-c", "bunlb.yaml"],
        file: [
          "bunlb.yaml",
          "backends: [10.0.0.1:80, 10.0.0.2:80]\npools: { api: [10.0.0.3:80, 10.0.0.4:80] }\n",
        ],
      },
      typed("Everybody's word believed", `check --trusted-proxies 0.0.0.0/0 ${two.join(" ")}`),
      typed("Figures for everybody", `check --admin 0.0.0.0:9900 ${two.join(" ")}`),
    ],
  },
]
