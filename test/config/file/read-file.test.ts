/** Reading the configuration file from disk: what cannot be read, and where it does not parse. */
import { afterAll, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { readConfigFile } from "../../../src/config/file/read-file.ts"
import { BunlbError } from "../../../src/core/errors.ts"

const folder = mkdtempSync(join(tmpdir(), "bunlb-config-"))
afterAll(() => rmSync(folder, { recursive: true }))

async function faultOf(name: string, text: string | null): Promise<string> {
  const path = join(folder, name)
  if (text !== null) await Bun.write(path, text)
  try {
    await readConfigFile(path)
  } catch (error) {
    if (!(error instanceof BunlbError)) throw error
    expect(error.exitCode).toBe(2)
    return error.message.replace(`${folder}/`, "")
  }
  return "none"
}

test("a file of each kind is read", async () => {
  const texts = {
    "a.yaml": "port: 1",
    "a.yml": "port: 1",
    "a.toml": "port = 1",
    "a.json": '{"port":1}',
  }
  for (const [name, text] of Object.entries(texts)) {
    const path = join(folder, name)
    await Bun.write(path, text)
    const tree = await readConfigFile(path)
    expect({ root: tree.root, name: tree.name }).toEqual({ root: { port: 1 }, name: path })
  }
})

const noValue = "Missing value after '='; values must be on the same line"
const notJson = "is not JSON, remove it or write YAML"

test.each<[string, string | null, string]>([
  ["none.yaml", null, "config: none.yaml: no such file or folder"],
  ["bunlb.conf", "port: 1", "config: bunlb.conf: the name must end in .yaml, .yml, .toml or .json"],
  ["bad.yaml", "a: 1\nb: [1,\nc: 2\n", "config: bad.yaml:3:1: not valid YAML: Unexpected token"],
  ["bad.toml", "a = 1\nb = \n", `config: bad.toml:2:5: not valid TOML: ${noValue}`],
  [
    "bad.json",
    '{\n "a": 1,\n "b" 2}',
    "config: bad.json:3:6: not valid JSON: Expected ':' before value in object property definition",
  ],
  [
    "comma.json",
    '{\n "a": ",}",\n}',
    `config: comma.json:2:11: not valid JSON: a comma before a closing bracket ${notJson}`,
  ],
  [
    "comment.json",
    '{ // why\n "a": 1 }',
    `config: comment.json:1:3: not valid JSON: a comment ${notJson}`,
  ],
  ["huge.yaml", " ".repeat((4 << 20) + 1), "config: huge.yaml: larger than 4 MiB"],
])("%s", async (name, text, fault) => {
  expect(await faultOf(name, text)).toBe(fault)
})

test("a folder is not a file", async () => {
  await Bun.write(join(folder, "folder.yaml/x"), "")
  expect(await faultOf("folder.yaml", null)).toBe(
    "config: folder.yaml: is a directory, name a file",
  )
})

test("neither is a pipe", async () => {
  Bun.spawnSync(["mkfifo", join(folder, "pipe.yaml")])
  expect(await faultOf("pipe.yaml", null)).toBe("config: pipe.yaml: is a pipe, name a file")
})
