/** Before the tests of each process: see bunfig.toml. */
import { afterAll } from "bun:test"
import { finish } from "./support/at-end.ts"

afterAll(finish)
