// A site on Node's own http server: files, and uploads that can be read back.
const { createReadStream, existsSync } = require("node:fs")
const { createServer } = require("node:http")
const { join } = require("node:path")

const [port, root] = process.argv.slice(2)
const uploads = new Map()

createServer((request, response) => {
  if (request.method === "PUT") {
    const pieces = []
    request.on("data", (piece) => pieces.push(piece))
    request.on("end", () => {
      uploads.set(request.url, Buffer.concat(pieces))
      response.writeHead(201).end()
    })
    return
  }
  const upload = uploads.get(request.url)
  const file = join(root, request.url)
  if (upload !== undefined) response.end(upload)
  else if (!existsSync(file)) response.writeHead(404).end("no such page\n")
  else createReadStream(file).pipe(response)
}).listen(Number(port), "127.0.0.1")
