/**
 * Listening sockets that a service manager holds and hands over (systemd's socket activation): they are there before
 * bunlb and after it, so that while it restarts, connections wait instead of being refused.
 *
 * Their names (FileDescriptorName=) say which listener each is for, several for one if that is wanted. Without names
 * of listeners they come in the order of the listeners; a single listener gets all of them.
 *
 * What is done to such a socket outlasts this process, and others may share it: nothing here closes its queue or
 * keeps anybody out of it. Source: sd_listen_fds(3).
 */
import type { ListenerSettings } from "../config/schema/settings.ts"
import { BunlbError } from "../core/errors.ts"
import { inheritedFds, isUnixSocket, portOf, setHeld, spread } from "./linux/activation.ts"
import { closeListeners } from "./listeners.ts"
import type { OpenListener } from "./open-listener.ts"

type Environment = Record<string, string | undefined>

/**
 * The sockets that were handed to this process, shared by `count` workers: for each of the listeners, null for those
 * that have got none. Throws `BunlbError` when there is one that no listener is for, when a listener has got more than
 * workers, or when one is neither of TCP nor a unix socket.
 */
export function takeHanded(
  listeners: readonly ListenerSettings[],
  count: number,
  environment: Environment = process.env,
): (OpenListener | null)[] {
  const { LISTEN_PID: pid, LISTEN_FDS: number, LISTEN_FDNAMES: words = "" } = environment
  for (const name of ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"]) delete environment[name]
  const handed = pid === String(process.pid) ? Number(number) : 0
  if (!(handed > 0)) return listeners.map(() => null)
  const places = placesOf(handed, words.split(":"), listeners)
  const originals = inheritedFds(handed)
  for (const own of places) if (own.length > count) throw tooMany(own.length, count)
  for (const fd of originals) requireListener(fd)
  const opened = places.map((own) =>
    held(
      own.map((place) => originals[place] ?? -1),
      count,
    ),
  )
  closeListeners(originals)
  setHeld(handed, environment)
  return opened
}

function held(originals: readonly number[], count: number): OpenListener | null {
  const [first] = originals
  if (first === undefined) return null
  const sockets = originals.length
  const port = portOf(first)
  const fds = spread(originals, count)
  return { port, fds, listening: null, queue: "held", sockets, file: null }
}

/** For each listener: the places of its sockets among those that were handed over. */
function placesOf(
  handed: number,
  names: readonly string[],
  listeners: readonly ListenerSettings[],
): number[][] {
  const places = Array.from({ length: handed }, (_, place) => place)
  if (listeners.length === 1) return [places]
  const known = new Set(listeners.map(({ name }) => name))
  if (names.some((name) => known.has(name))) {
    const stranger = places.find((place) => !known.has(names[place] ?? ""))
    if (stranger !== undefined) throw nobodysSocket(names[stranger] ?? "")
    return listeners.map(({ name }) => places.filter((place) => names[place] === name))
  }
  if (handed <= listeners.length) {
    return listeners.map((_, i) => places.filter((place) => place === i))
  }
  const story = `${handed} sockets were handed over for ${listeners.length} listeners`
  throw new BunlbError(
    "BUNLB_E_LISTEN",
    `${story}: give each socket the name of its listener (FileDescriptorName=)`,
  )
}

function nobodysSocket(name: string): BunlbError {
  const message = `a socket named ${JSON.stringify(name)} was handed over, and no listener has that name`
  return new BunlbError("BUNLB_E_LISTEN", message)
}

function tooMany(handed: number, count: number): BunlbError {
  const story = `${handed} sockets were handed over for ${count} of --workers`
  return new BunlbError("BUNLB_E_LISTEN", `${story}: at most one a worker is of use`)
}

function requireListener(fd: number): void {
  if (portOf(fd) !== null || isUnixSocket(fd)) return
  const message = `the socket handed over as descriptor ${fd} is neither of TCP nor a unix socket`
  throw new BunlbError("BUNLB_E_LISTEN", message)
}
