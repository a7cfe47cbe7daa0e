/**
 * How each command of the pages is tried. What can be run is run. What cannot says why here, and everything about it
 * that can be known without running it is checked: its flags, its subcommand, the files and scripts that it names.
 */
export type Way =
  /** A bunlb that serves: it must say so. */
  | "start"
  /** Ends by itself, with exit code 0, beside a bunlb that serves. */
  | "run"
  /** Not run, for the reason given. */
  | { readonly reason: string }

/** The first that fits counts. */
const rules: readonly (readonly [pattern: RegExp, way: Way])[] = [
  [/^((\.\/dist\/)?bunlb|([A-Z_]+=("[^"]*"|\S+) )+bunlb)( -|$)(?!-?(version|help))/, "start"],
  [/^bunlb run /, "start"],
  [/^bunlb backend /, "start"],
  [/^bunlb (--version|--help|help)/, "run"],
  [/^([A-Z_]+=\S+ )*bunlb (check|schema|status|health|explain|reload)\b(?!.*--watch)/, "run"],
  [/^bunlb (drain|enable|disable|set weight|add|remove) (?!.*--save)/, "run"],
  [/^curl .*(127\.0\.0\.1|localhost):(8080|9900)/, "run"],
  [/^bunlb status --watch/, { reason: "needs a terminal: test/cli/watch.test.ts has one" }],
  [/^bunlb demo/, { reason: "runs until it is stopped: test/e2e/demo.test.ts does that" }],
  [/^bunlb \w+/, { reason: "has a test of its own" }],
  [/^(npx --yes bun@\S+|bun) run demo/, { reason: "until stopped: test/e2e/demo.test.ts" }],
  [
    /^([A-Z_]+=\S+ )*(npx --yes bun@\S+|bun) (run (test|build)$|test\b|check|fmt)/,
    { reason: "takes long: .ci/run does it" },
  ],
  [/^([A-Z_]+=\S+ )*bun (run|scripts\/)/, { reason: "takes minutes; its flags are checked" }],
  [/^(docker|podman|buildah) /, { reason: "an engine: test/deploy/image.test.ts has the image" }],
  [/^(kubectl|helm) /, { reason: "needs a cluster" }],
  [/^(sudo )?(systemctl|systemd-\w+|journalctl) /, { reason: "needs systemd as PID 1" }],
  [
    /^(sudo )?(apt-get|install|ip|keepalived|setcap|sysctl|useradd) /,
    { reason: "changes the machine" },
  ],
  [/^(\.\/)?scripts\/\S+\.sh\b/, { reason: "takes long, or needs an engine" }],
  [/^curl /, { reason: "asks an address that the reader has" }],
  [
    /^(sudo )?(dig|ping|tcpdump|ssh|ss|ps|cat|ls|tail|jq|openssl|dnsmasq|birdc|export) /,
    { reason: "looks at what the reader has" },
  ],
  [/^kill /, { reason: "names a process that the reader has" }],
  [
    /^(git clone|git switch|cd|mkdir|cp|mv|bun add|bun install|npm) ?/,
    { reason: "of other programs" },
  ],
  [/^(sha256sum|gunzip|cosign|gh) /, { reason: "needs what a release has published" }],
]

/** Null for a command that no rule knows. */
export function wayOf(command: string): Way | null {
  return rules.find(([pattern]) => pattern.test(command))?.[1] ?? null
}
