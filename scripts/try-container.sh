#!/usr/bin/env bash
# Builds the image of the Dockerfile and runs it as an engine would (PID 1, nobody in particular, read-only root, no
# right whatsoever), without an engine and without a registry: Debian's buildah builds it, namespaces run it.
# The base image is made by debootstrap. Needs Linux, root, buildah, debootstrap, util-linux, curl and bun.
#
#   scripts/try-container.sh [FOLDER]     FOLDER keeps the base image for the next time
set -euo pipefail
cd "$(dirname "$0")/.."

skip() {
  echo "try-container: skipped: $1"
  exit 0
}
[[ $(uname) == Linux && $(id -u) == 0 ]] || skip "needs Linux and root"
for tool in buildah debootstrap unshare nsenter curl bun; do
  command -v "$tool" >/dev/null || skip "$tool is not installed"
done

scratch=$(mktemp -d)
keep=${1:-$scratch}
mkdir -p "$keep"
keep=$(cd "$keep" && pwd)
failed=0
started=()
container=""

buildah_() { buildah --storage-driver vfs --root "$keep/storage" --runroot "$scratch/run" "$@"; }

finish() {
  for pid in "${started[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  if [[ -n $container ]]; then buildah_ umount "$container" >/dev/null && buildah_ rm "$container" >/dev/null; fi
  rm -rf "$scratch"
}
trap finish EXIT

# NAME, then a command that must be right.
holds() {
  local name=$1
  shift
  if "$@"; then echo "ok: $name"; else
    echo "FAILED: $name"
    failed=$((failed + 1))
  fi
}

within() {
  local tenths=$1
  shift
  for ((; tenths > 0; tenths--)); do
    if "$@" >/dev/null 2>&1; then return 0; fi
    sleep 0.1
  done
  return 1
}

not() { ! "$@"; }

# The two images that the Dockerfile begins with: Debian, and Debian with this Bun and what `bun install` will ask for.
make_bases() {
  local base
  if buildah_ inspect --type image docker.io/oven/bun:1.4.5-slim >/dev/null 2>&1; then return 0; fi
  debootstrap --variant=minbase bookworm "$scratch/base" >"$scratch/debootstrap.log"
  rm -rf "$scratch"/base/var/cache/apt/archives/*.deb "$scratch"/base/var/lib/apt/lists/*
  base=$(buildah_ from scratch)
  buildah_ copy -q "$base" "$scratch/base" / >/dev/null
  buildah_ commit -q "$base" docker.io/library/debian:bookworm-slim >/dev/null
  mkdir "$scratch/project" && cp package.json bun.lock "$scratch/project"
  (cd "$scratch/project" && BUN_INSTALL_CACHE_DIR="$scratch/cache" bun install --frozen-lockfile --production --silent)
  buildah_ copy -q "$base" "$scratch/cache" /root/.bun/install/cache >/dev/null
  buildah_ copy -q "$base" "$(readlink -f "$(command -v bun)")" /usr/local/bin/bun >/dev/null
  buildah_ commit -q "$base" docker.io/oven/bun:1.4.5-slim >/dev/null
  buildah_ rm "$base" >/dev/null
}

build_image() {
  buildah_ bud --quiet --isolation chroot --pull-never --format docker --tag bunlb \
    --build-arg COMMIT="$(git rev-parse HEAD)" --build-arg SOURCE_DATE_EPOCH="$(git log -1 --format=%ct)" .
}

says() { buildah_ inspect --type image bunlb | tr -d ' \n' | grep -qF -- "$1"; }

# Runs the image's command as PID 1 of its own processes; the network is the machine's. Words are the environment.
run_image() {
  exec unshare --mount --pid --fork --kill-child --propagation private bash -c '
    root=$1; shift
    mount --bind "$root" "$root" && mount -o remount,ro,bind "$root" &&
      mount -t proc proc "$root/proc" && mount --rbind /dev "$root/dev" &&
      exec env -i "$@" "$(command -v chroot)" --userspec=65532:65532 --groups= "$root" /usr/local/bin/bunlb' - "$root" "$@"
}

# A command in the running container, as `docker exec` and health checks run it.
inside() {
  nsenter --target "$pid" --mount --pid --root --wd --setuid 65532 --setgid 65532 \
    env -i BUNLB_ADMIN=127.0.0.1:9917 "$@"
}

start_backend() {
  "$root/usr/local/bin/bunlb" backend -h 127.0.0.1 -p "$1" --name "$2" >/dev/null 2>&1 &
  started+=($!)
  disown
}

answers() { [[ $(curl -fsS -m 5 "http://127.0.0.1:18080$1") == "$2" ]]; }
ended() { ! kill -0 "$1" 2>/dev/null; }
no_zombies() { ! ps -e -o stat=,pid=,ppid= | awk -v p="$pid" '$3 == p && $1 ~ /^Z/' | grep -q .; }
unwritable() { ! nsenter --target "$pid" --mount --pid --root touch /canary 2>/dev/null; }

make_bases
holds "the image builds" build_image
if ((failed > 0)); then exit 1; fi
holds "it runs as nobody in particular" says '"User":"65532:65532"'
holds "SIGTERM stops it" says '"StopSignal":"SIGTERM"'
holds "bunlb health is its health check" says '"CMD","/usr/local/bin/bunlb","health"'
holds "it names its commit" says "\"org.opencontainers.image.revision\":\"$(git rev-parse HEAD)\""

container=$(buildah_ from --pull-never bunlb)
root=$(buildah_ mount "$container")
start_backend 18081 one
start_backend 18082 two
one=${started[0]} two=${started[1]}
(run_image BUNLB_BACKENDS="127.0.0.1:18081 127.0.0.1:18082" BUNLB_PORT=18080 BUNLB_WORKERS=2 \
  BUNLB_ADMIN=127.0.0.1:9917 BUNLB_HEALTH_INTERVAL=500ms) >"$scratch/out" 2>"$scratch/err" &
outer=$!
started+=("$outer")
holds "it serves" within 100 answers / "one says hello"
pid=$(pgrep -P "$outer")
holds "both backends take their turns" within 20 answers / "two says hello"
holds "it logs to standard output or error" grep -q '"level"' "$scratch/out" "$scratch/err"
holds "its root is read-only" unwritable
holds "it is PID 1, without rights" grep -qE '^CapEff:\s0+$' "/proc/$pid/status"
holds "it is healthy" inside /usr/local/bin/bunlb health

kill -KILL "$(pgrep -P "$pid" | head -n 1)"
holds "a killed worker is replaced" within 50 eval '[[ $(pgrep -P "$pid" | wc -l) == 2 ]]'
holds "and leaves no zombie" within 20 no_zombies

kill -KILL "$one"
holds "one backend is enough" within 20 answers / "two says hello"
holds "and keeps it healthy" inside /usr/local/bin/bunlb health
kill -KILL "$two"
holds "without backends it is unhealthy" within 100 not inside /usr/local/bin/bunlb health

start_backend 18081 one
holds "with one again it recovers" within 100 inside /usr/local/bin/bunlb health
curl -fsS -m 10 http://127.0.0.1:18080/delay/1500 >"$scratch/slow" &
slow=$!
sleep 0.5
kill -TERM "$pid"
holds "SIGTERM lets a request end" wait "$slow"
holds "and it was answered" grep -q "waited 1500 ms" "$scratch/slow"
holds "then bunlb ends, with exit code 0" wait "$outer"

if ((failed > 0)); then
  cat "$scratch/out" "$scratch/err"
  echo "try-container: $failed failed"
  exit 1
fi
echo "try-container: all well; image of $(du -sm "$root" | cut -f1) MB, bunlb of $(du -m "$root/usr/local/bin/bunlb" | cut -f1) MB"
