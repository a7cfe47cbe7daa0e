/**
 * The few calls of the C library that Bun has no name for, bound once. Those that move bytes are in `kernel.ts`, the
 * one that binds a worker to a CPU in `affinity.ts`. Works on Linux with glibc or musl and on macOS.
 *
 * Cost: the library is loaded at the first call (about 1 ms), a call after that is some 10 ns over the kernel's
 * own time. `errno` belongs to the calling thread, and the runtime's own calls on this thread (for memory, for
 * compiled code) can change it: read it right after the call that failed, and take it for a reason to show, not for
 * proof. Whether a connection is lost is asked of the kernel, by `peek.ts`.
 */
import { dlopen, read } from "bun:ffi"
import { BunlbError } from "../../core/errors.ts"

/** Every call answers -1 on failure, with the reason in `errno()`. */
export interface Libc {
  socket(domain: number, type: number, protocol: number): number
  connect(fd: number, sockaddr: Uint8Array, length: number): number
  bind(fd: number, sockaddr: Uint8Array, length: number): number
  close(fd: number): number
  dup(fd: number): number
  listen(fd: number, backlog: number): number
  shutdown(fd: number, how: number): number
  recv(fd: number, buffer: Uint8Array, length: number, flags: number): number
  /** `fds`: one struct pollfd after the other. */
  poll(fds: Int32Array, count: number, timeoutMs: number): number
  /** Linux only: elsewhere arguments of variable number are passed in another way. */
  ioctl(fd: number, request: number, value: Int32Array): number
  getsockname(fd: number, sockaddr: Uint8Array, length: Uint32Array): number
  setsockopt(fd: number, level: number, name: number, value: Uint8Array): number
  getsockopt(
    fd: number,
    level: number,
    name: number,
    value: Int32Array,
    length: Uint32Array,
  ): number
  /** Linux only, for the reason that `ioctl` gives. */
  fcntl(fd: number, command: number, value: number): number
  /** Of the two limits the soft one comes first. */
  getrlimit(resource: number, limits: BigUint64Array): number
  waitpid(pid: number, status: Int32Array, options: number): number
  errno(): number
}

let loaded: Libc | null = null

/** Throws `BunlbError` when the C library cannot be loaded. */
export function libc(): Libc {
  loaded ??= load()
  return loaded
}

/** The names under which this system's C library may be found, the likely one first. */
export function libraryNames(platform: string, arch: string): readonly string[] {
  if (platform === "darwin") return ["libSystem.B.dylib"]
  const musl = arch === "arm64" ? "aarch64" : "x86_64"
  return ["libc.so.6", `libc.musl-${musl}.so.1`, `/lib/ld-musl-${musl}.so.1`]
}

/** Tries each name with `open` and gives the first that loads. Throws `BunlbError` with the reason that matters. */
export function firstThatLoads<T>(names: readonly string[], open: (name: string) => T): T {
  const reasons: string[] = []
  for (const name of names) {
    try {
      return open(name)
    } catch (error) {
      const [reason = ""] = (error instanceof Error ? error.message : String(error)).split("\n")
      if (/\bJIT\b/.test(reason)) throw new BunlbError("BUNLB_E_RUNTIME", NO_CODE)
      reasons.push(reason)
    }
  }
  // A library that is there and does not load says more than one that is not there.
  const told = reasons.find((reason) => !reason.includes("No such file")) ?? reasons[0] ?? ""
  const message = `cannot load the C library (tried ${names.join(", ")}): ${told}`
  throw new BunlbError("BUNLB_E_RUNTIME", `${message}; bunlb needs glibc, musl or macOS`)
}

/** Calls of the C library are compiled when they are bound. Too little address space is told by Bun in the same way. */
const NO_CODE =
  "the runtime cannot compile code, which it needs for calls of the C library: allow memory that " +
  "is written and executed (systemd: MemoryDenyWriteExecute=no, SELinux: execmem), give it 8 GB " +
  "of address space or more (ulimit -v), and leave BUN_JSC_useJIT alone"

const calls = {
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  connect: { args: ["i32", "ptr", "u32"], returns: "i32" },
  bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
  close: { args: ["i32"], returns: "i32" },
  dup: { args: ["i32"], returns: "i32" },
  listen: { args: ["i32", "i32"], returns: "i32" },
  shutdown: { args: ["i32", "i32"], returns: "i32" },
  // ssize_t in C: the low half is enough, for no buffer here is larger than 2 GiB.
  recv: { args: ["i32", "ptr", "usize", "i32"], returns: "i32" },
  poll: { args: ["ptr", "usize", "i32"], returns: "i32" },
  ioctl: { args: ["i32", "usize", "ptr"], returns: "i32" },
  getsockname: { args: ["i32", "ptr", "ptr"], returns: "i32" },
  setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
  getsockopt: { args: ["i32", "i32", "i32", "ptr", "ptr"], returns: "i32" },
  getrlimit: { args: ["i32", "ptr"], returns: "i32" },
  fcntl: { args: ["i32", "i32", "i32"], returns: "i32" },
  waitpid: { args: ["i32", "ptr", "i32"], returns: "i32" },
} as const

function load(): Libc {
  const names = libraryNames(process.platform, process.arch)
  const { symbols, place } = firstThatLoads(names, open)
  const errnoAt = place()
  return {
    socket: symbols.socket,
    connect: symbols.connect,
    bind: symbols.bind,
    close: symbols.close,
    dup: symbols.dup,
    listen: symbols.listen,
    shutdown: symbols.shutdown,
    recv: symbols.recv,
    poll: symbols.poll,
    ioctl: symbols.ioctl,
    getsockname: symbols.getsockname,
    setsockopt: (fd, level, name, value) =>
      symbols.setsockopt(fd, level, name, value, value.byteLength),
    getsockopt: symbols.getsockopt,
    getrlimit: symbols.getrlimit,
    fcntl: symbols.fcntl,
    waitpid: symbols.waitpid,
    // A read of memory, not a second call: nothing of the runtime comes between.
    errno: () => (typeof errnoAt === "number" ? read.i32(errnoAt, 0) : 0),
  }
}

/** The function that tells where errno is has another name on each system. The place is constant for a thread. */
function open(name: string) {
  if (process.platform === "darwin") {
    const { symbols } = dlopen(name, { ...calls, __error: { args: [], returns: "ptr" } })
    return { symbols, place: () => symbols.__error() }
  }
  const { symbols } = dlopen(name, { ...calls, __errno_location: { args: [], returns: "ptr" } })
  return { symbols, place: () => symbols.__errno_location() }
}
