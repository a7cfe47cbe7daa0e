/**
 * What must be done when a process ends, whatever became of its tests: kill children, remove folders. `bun test` sends
 * no `exit` event, so that test/preload.ts calls `finish` too.
 */
const due = new Set<() => void>()

/** Gives back what takes it off the list again. */
export function atEnd(action: () => void): () => void {
  due.add(action)
  return () => void due.delete(action)
}

export function finish(): void {
  for (const action of due) action()
  due.clear()
}

process.on("exit", finish)
