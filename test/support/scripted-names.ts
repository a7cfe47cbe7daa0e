/**
 * A DNS server on 127.0.0.1, over UDP and TCP at one port, that answers what a test says: records, nothing, an error by
 * its code, or no answer at all. It notes every question. Use `await using`.
 */
import { afterTest } from "./side-by-side.ts"
import { refusedPort } from "./refused-port.ts"

export const rcodes = { FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5 } as const
const types: Readonly<Record<number, string>> = { 1: "A", 28: "AAAA", 33: "SRV" }

export interface ScriptedRecord {
  /** The name asked for when left out. */
  readonly name?: string
  readonly type: "A" | "AAAA" | "CNAME" | "SRV"
  readonly ttl?: number
  /** An address; a name; for SRV "priority weight port target". */
  readonly data: string
}

/** `SILENT` gives no answer; a number is an error's code; bytes are sent as they are. */
export type Scripted =
  readonly ScriptedRecord[] | keyof typeof rcodes | "SILENT" | ((query: Buffer) => Buffer)

export interface Question {
  readonly name: string
  readonly type: string
  readonly over: "udp" | "tcp"
  readonly edns: boolean
}

type Answerer = (question: Question) => Scripted | Promise<Scripted>

export class ScriptedNames {
  readonly port: number
  readonly questions: Question[] = []
  answer: Answerer
  /** Answers over UDP that are longer come truncated. */
  udpBytes = 512

  private constructor(port: number, answer: Answerer) {
    this.port = port
    this.answer = answer
  }

  static async start(answer: Answerer): Promise<ScriptedNames> {
    const names = new ScriptedNames(refusedPort(), answer)
    const udp = await Bun.udpSocket({
      hostname: "127.0.0.1",
      port: names.port,
      socket: {
        data: async (socket, query, port, address) => {
          const reply = await names.#reply(query, "udp")
          if (reply !== null) socket.send(reply, port, address)
        },
      },
    })
    const tcp = Bun.listen({
      hostname: "127.0.0.1",
      port: names.port,
      socket: {
        data: async (socket, bytes) => {
          const reply = await names.#reply(bytes.subarray(2), "tcp")
          if (reply === null) return
          const length = Buffer.alloc(2)
          length.writeUInt16BE(reply.length, 0)
          socket.write(Buffer.concat([length, reply]))
        },
      },
    })
    afterTest(() => {
      udp.close()
      tcp.stop(true)
    })
    return names
  }

  /** As `dns.servers` takes it. */
  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  async #reply(query: Buffer, over: "udp" | "tcp"): Promise<Buffer | null> {
    const { name, end } = nameAt(query, 12)
    const type = types[query.readUInt16BE(end)] ?? "?"
    const question = { name, type, over, edns: query.readUInt16BE(10) > 0 }
    this.questions.push(question)
    const said = await this.answer(question)
    if (said === "SILENT") return null
    if (typeof said === "function") return said(query)
    const rcode = typeof said === "string" ? rcodes[said] : 0
    const records = typeof said === "string" ? [] : said
    const whole = replyTo(query, end + 4, rcode, records)
    if (over === "tcp" || whole.length <= this.udpBytes) return whole
    const cut = replyTo(query, end + 4, rcode, [])
    cut.writeUInt16BE(cut.readUInt16BE(2) | 0x0200, 2)
    return cut
  }
}

function nameAt(bytes: Buffer, start: number): { readonly name: string; readonly end: number } {
  const labels: string[] = []
  let at = start
  for (let length = bytes.readUInt8(at); length > 0; length = bytes.readUInt8(at)) {
    labels.push(bytes.toString("latin1", at + 1, at + 1 + length))
    at += length + 1
  }
  return { name: labels.join("."), end: at + 1 }
}

export function replyTo(
  query: Buffer,
  questionEnd: number,
  rcode: number,
  records: readonly ScriptedRecord[],
): Buffer {
  const head = Buffer.from(query.subarray(0, questionEnd))
  head.writeUInt16BE(0x8180 | rcode, 2)
  head.writeUInt16BE(records.length, 6)
  head.writeUInt16BE(0, 10)
  return Buffer.concat([head, ...records.map((record) => recordBytes(record))])
}

function recordBytes({ name, type, ttl = 5, data }: ScriptedRecord): Buffer {
  const code = { A: 1, AAAA: 28, CNAME: 5, SRV: 33 }[type]
  const content = contentOf(type, data)
  const rest = Buffer.alloc(10)
  rest.writeUInt16BE(code, 0)
  rest.writeUInt16BE(1, 2)
  rest.writeUInt32BE(ttl, 4)
  rest.writeUInt16BE(content.length, 8)
  // A pointer to the question.
  const owner = name === undefined ? Buffer.of(0xc0, 12) : encoded(name)
  return Buffer.concat([owner, rest, content])
}

function contentOf(type: ScriptedRecord["type"], data: string): Buffer {
  if (type === "A") return Buffer.from(data.split(".").map(Number))
  if (type === "CNAME") return encoded(data)
  if (type === "SRV") {
    const [priority, weight, port, target] = data.split(" ")
    const numbers = Buffer.alloc(6)
    ;[priority, weight, port].forEach((value, i) => numbers.writeUInt16BE(Number(value), 2 * i))
    return Buffer.concat([numbers, encoded(target ?? "")])
  }
  const [before = "", after] = data.split("::")
  const groups = (text: string): string[] => (text === "" ? [] : text.split(":"))
  const [front, back] = [groups(before), groups(after ?? "")]
  const all = [...front, ...Array(8 - front.length - back.length).fill("0"), ...back]
  return Buffer.from(all.map((group) => String(group).padStart(4, "0")).join(""), "hex")
}

function encoded(name: string): Buffer {
  const labels = name.split(".").filter((label) => label !== "")
  return Buffer.concat([
    ...labels.map((label) => Buffer.from([label.length, ...Buffer.from(label)])),
    Buffer.of(0),
  ])
}
