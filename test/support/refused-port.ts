/** A port on 127.0.0.1 that was free a moment ago, so that a dial to it is refused. */
export async function refusedPort(): Promise<number> {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } })
  const { port } = listener
  listener.stop(true)
  return port
}
