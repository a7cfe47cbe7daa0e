/** Resolves when a person or a supervisor asks this process to end. */
export async function stopSignal(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  process.once("SIGINT", () => resolve())
  process.once("SIGTERM", () => resolve())
  await promise
}
