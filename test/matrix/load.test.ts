/** Load generators read answers in their own strict and hasty ways: none of them may count an error. */
import { expect } from "bun:test"
import { answer, answering, ScriptedBackend } from "../support/scripted-backend.ts"
import { TestBalancer } from "../support/balancer.ts"
import { run, testWith } from "./programs.ts"

const REQUESTS = 2_000

testWith("wrk")("wrk counts no error", async () => {
  using backend = await ScriptedBackend.start(answering(() => "small"))
  const { port } = await TestBalancer.start([backend.port])
  const said = await run(["wrk", "-t1", "-c16", "-d1s", `http://127.0.0.1:${port}/`])
  expect(said).toMatch(/[1-9]\d* requests in/)
  expect(said).not.toMatch(/Socket errors|Non-2xx/)
})

for (const [name, flags] of [
  ["kept connections", ["-k"]],
  ["a connection a request", []],
] as const) {
  testWith("ab")(`ab counts no error with ${name}`, async () => {
    using backend = await ScriptedBackend.start(answering(() => "small"))
    const { port } = await TestBalancer.start([backend.port])
    const shape = [...flags, "-q", "-n", `${REQUESTS}`, "-c", "16"]
    const said = await run(["ab", ...shape, `http://127.0.0.1:${port}/`])
    expect(said).toMatch(new RegExp(`Complete requests: +${REQUESTS}\n`))
    expect(said).toMatch(/Failed requests: +0\n/)
    expect(said).not.toMatch(/Non-2xx/)
    if (flags.length > 0) expect(said).toMatch(new RegExp(`Keep-Alive requests: +${REQUESTS}\n`))
  })
}

testWith("h2load")("h2load counts no error, pipelining eight requests", async () => {
  using backend = await ScriptedBackend.start(answering(() => "small"))
  const { port } = await TestBalancer.start([backend.port])
  const shape = ["--h1", "-n", `${REQUESTS}`, "-c", "8", "-m", "8"]
  const said = await run(["h2load", ...shape, `http://127.0.0.1:${port}/`])
  expect(said).toContain(`${REQUESTS} succeeded, 0 failed, 0 errored, 0 timeout`)
  expect(said).toContain(`status codes: ${REQUESTS} 2xx, 0 3xx, 0 4xx, 0 5xx`)
})

testWith("h2load")("h2load posts without an error", async () => {
  using backend = await ScriptedBackend.start(async (connection) => {
    for (;;) {
      const { body } = await connection.receiveRequest()
      void connection.send(answer(200, `${body.length}`))
    }
  })
  const { port } = await TestBalancer.start([backend.port])
  const shape = ["--h1", "-n", "200", "-c", "8", "-d", import.meta.path]
  const said = await run(["h2load", ...shape, `http://127.0.0.1:${port}/`])
  expect(said).toContain("200 succeeded, 0 failed, 0 errored, 0 timeout")
  const text = await Bun.file(import.meta.path).text()
  const bodies = new Set(backend.requests.map(({ body }) => body.toString()))
  expect([backend.requests.length, [...bodies]]).toEqual([200, [text]])
})
