/**
 * Makes Linux look like macOS to bunlb, as far as that is possible from inside, to find what would break there:
 *
 *   bun --preload ./test/support/like-macos.ts src/main.ts ...
 *   bun test --preload ./test/support/like-macos.ts --timeout 20000
 *
 * A program that is started from source from here sees the same. `process.platform` says darwin; nothing lies under
 * /proc; the C library has another name, only those functions that macOS has too, and takes macOS's constants and
 * addresses alone: one of Linux's is a fault that throws. Two listeners cannot share a port, for there Bun leaves
 * SO_REUSEPORT out, and 127.0.0.1 is the only address of its kind. What remains Linux's: the numbers of errno, signals,
 * and the event loop.
 */
import { createRequire, syncBuiltinESMExports } from "node:module"
import type * as Ffi from "bun:ffi"
import type * as Fs from "node:fs"

type Call = (...args: never[]) => unknown
type Calls = Record<string, Call>

const require = createRequire(import.meta.url)

const LIBRARY = "libSystem.B.dylib"
const LIBRARIES_HERE = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"]

/** By macOS's number of an option of SOL_SOCKET: Linux's. */
const socketOptions: Readonly<Record<number, number>> = {
  0x4: 2,
  0x8: 9,
  0x200: 15,
  0x80: 13,
  0x1007: 4,
  0x1001: 7,
  0x1002: 8,
}
/** The same for TCP: idle, interval and count of keepalive. */
const tcpOptions: Readonly<Record<number, number>> = { 0x10: 4, 0x101: 5, 0x102: 6 }
const IPPROTO_TCP = 6
const MSG_PEEK = 0x2
const MSG_DONTWAIT = { mac: 0x80, here: 0x40 }
const RLIMIT_NOFILE = { mac: 8, here: 7 }
const SOL_SOCKET = { mac: 0xffff, here: 1 }
const SO_NWRITE = 0x1024
const AF_INET6 = { mac: 30, here: 10 }

class NotOnMacOs extends Error {}

function demand(holds: boolean, what: string): void {
  if (!holds) throw new NotOnMacOs(`not on macOS: ${what}`)
}

/** What each function of macOS's C library is here; a function that is not in this list is not there. */
const translations: Readonly<Record<string, (real: Call) => Call>> = {
  close: same,
  dup: same,
  // With the same struct, and POLLIN, POLLERR, POLLHUP and POLLNVAL as on Linux.
  poll: same,
  listen: same,
  shutdown: same,
  socket: (real) => (domain: number, type: number, protocol: number) => {
    demand(type < 16, `socket type ${type}`)
    demand(domain !== AF_INET6.here, `address family ${domain}`)
    return call(real, domain === AF_INET6.mac ? AF_INET6.here : domain, type, protocol)
  },
  recv: (real) => (fd: number, buffer: Uint8Array, length: number, flags: number) => {
    demand((flags & ~(MSG_PEEK | MSG_DONTWAIT.mac)) === 0, `flags ${flags} of recv`)
    const here = (flags & MSG_PEEK) | ((flags & MSG_DONTWAIT.mac) > 0 ? MSG_DONTWAIT.here : 0)
    return call(real, fd, buffer, length, here)
  },
  setsockopt: (real) => (fd: number, level: number, name: number, value: object, size: number) => {
    const isTcp = level === IPPROTO_TCP
    const options = isTcp ? tcpOptions : socketOptions
    demand((isTcp || level === SOL_SOCKET.mac) && name in options, `option ${level}, ${name}`)
    return call(real, fd, isTcp ? level : SOL_SOCKET.here, options[name], value, size)
  },
  getsockname: (real) => (fd: number, address: Uint8Array, length: Uint32Array) => {
    const result = call(real, fd, address, length)
    // A length in the place of half the family, and the family behind it.
    const family = address[0] ?? 0
    address[1] = family === AF_INET6.here ? AF_INET6.mac : family
    address[0] = length[0] ?? 0
    return result
  },
  getrlimit: (real) => (which: number, limits: object) => {
    demand(which === RLIMIT_NOFILE.mac, `resource ${which}`)
    return call(real, RLIMIT_NOFILE.here, limits)
  },
  // With addresses and options of Linux: who has a use for one of these on macOS has to translate it here first.
  connect: absent("connect"),
  bind: absent("bind"),
  ioctl: absent("ioctl"),
  waitpid: absent("waitpid"),
  fcntl: absent("fcntl"),
  getsockopt:
    (real) => (fd: number, level: number, name: number, value: Int32Array, length: object) => {
      demand(level === SOL_SOCKET.mac, `level ${level} of getsockopt`)
      if (name === SO_NWRITE) {
        // Linux tells that by another call: here everything counts as acknowledged.
        value[0] = 0
        return 0
      }
      demand(name in socketOptions, `socket option ${name}`)
      return call(real, fd, SOL_SOCKET.here, socketOptions[name], value, length)
    },
}

function part<T>(all: Readonly<Record<string, T>>, name: string): T {
  const found = all[name]
  if (found === undefined) throw new Error(`there is no ${name}`)
  return found
}

function call(real: Call, ...args: unknown[]): unknown {
  return real(...(args as never[]))
}

function same(real: Call): Call {
  return real
}

function absent(name: string): (real: Call) => Call {
  return () => () => demand(false, `${name} as Linux has it`)
}

function imitateLibrary(ffi: { dlopen: Call }): void {
  const open = ffi.dlopen as unknown as typeof Ffi.dlopen
  const imitation = (name: string, wanted: Record<string, Ffi.FFIFunction>) => {
    if (name !== LIBRARY) throw new Error(`Failed to open library "${name}"`)
    const { __error: place, ...others } = wanted
    for (const each of Object.keys(others)) {
      if (!(each in translations)) throw new Error(`Symbol "${each}" not found in "${name}"`)
    }
    const here = { ...others, ...(place && { __errno_location: place }) }
    const found = opened((library) => open(library, here)).symbols as unknown as Calls
    const symbols: Calls = {}
    for (const each of Object.keys(others)) {
      symbols[each] = part(translations, each)(part(found, each))
    }
    if (place) symbols["__error"] = part(found, "__errno_location")
    return { symbols, close: () => {} }
  }
  ffi.dlopen = imitation as unknown as Call
}

function opened<T>(open: (name: string) => T): T {
  for (const name of LIBRARIES_HERE) {
    try {
      return open(name)
    } catch {
      // Under the next name.
    }
  }
  throw new Error("no C library here")
}

/** Nothing is under /proc, for those functions of node:fs that bunlb and its tests use. */
function hideProc(fs: Calls): void {
  const names = [
    "readFileSync",
    "readdirSync",
    "readlinkSync",
    "openSync",
    "statSync",
    "existsSync",
  ]
  for (const name of names) {
    const real = part(fs, name)
    fs[name] = ((path: unknown, ...rest: unknown[]) => {
      if (typeof path !== "string" || !path.startsWith("/proc")) return call(real, path, ...rest)
      if (name === "existsSync") return false
      throw Object.assign(new Error(`ENOENT: no such file or directory, '${path}'`), {
        code: "ENOENT",
      })
    }) as Call
  }
}

/** Programs that run from source see what this one sees. */
function pass(bun: Calls): void {
  for (const name of ["spawn", "spawnSync"]) {
    const real = part(bun, name)
    bun[name] = ((first: unknown, ...rest: unknown[]) => {
      const command = Array.isArray(first) ? first : []
      const fromSource = command[0] === process.execPath && /\.ts$/.test(String(command[1]))
      const [program, ...words] = command as string[]
      if (!fromSource) return call(real, first, ...rest)
      return call(real, [program, "--preload", import.meta.path, ...words], ...rest)
    }) as Call
  }
}

/** Bun sets SO_REUSEPORT on Linux alone. */
function shareNoPort(bun: Calls): void {
  for (const name of ["listen", "serve"]) {
    const real = part(bun, name)
    bun[name] = ((options: { hostname?: string }) => {
      if (/^127\.0\.0\.(?!1$)/.test(options.hostname ?? "")) {
        throw Object.assign(new Error("Failed to listen"), { code: "EADDRNOTAVAIL" })
      }
      return call(real, { ...options, reusePort: false })
    }) as Call
  }
}

if (process.platform === "linux") {
  imitateLibrary(require("bun:ffi") as { dlopen: Call })
  hideProc(require("node:fs") as typeof Fs & Calls)
  shareNoPort(Bun as unknown as Calls)
  pass(Bun as unknown as Calls)
  syncBuiltinESMExports()
  Object.defineProperty(process, "platform", { value: "darwin" })
}
