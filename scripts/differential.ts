/**
 * The differential check: the same raw requests and raw responses through bunlb, nginx and HAProxy, each before a
 * backend that records what reaches it.
 *
 *   bun scripts/differential.ts [--verbose] [--only TEXT]
 *
 * Prints who does what how often, and with --verbose every case in which they differ. Where bunlb lets pass what
 * another refuses, the reason must be in differential/explained.ts and docs/http.md; a case without one fails the run.
 */
import { parseArgs } from "node:util"
import { explanationOf } from "./differential/explained.ts"
import { Subject, type Verdict } from "./differential/observe.ts"
import { peerNames, Peers, type PeerName } from "./differential/peers.ts"
import { requestCases, type RawCase } from "./differential/requests.ts"
import { responseCases } from "./differential/responses.ts"

interface Row {
  readonly kind: "request" | "response"
  readonly name: string
  readonly text: string
  readonly verdicts: Readonly<Record<PeerName, Verdict>>
}

const { values } = parseArgs({
  options: {
    verbose: { type: "boolean", default: false },
    only: { type: "string", default: "" },
  },
})

for (const program of ["nginx", "haproxy"]) {
  if (Bun.which(program) === null) {
    console.error(`differential: ${program} is missing: apt-get install nginx haproxy`)
    process.exit(2)
  }
}

const subjects: Record<PeerName, Subject> = {
  bunlb: new Subject(),
  nginx: new Subject(),
  haproxy: new Subject(),
}
const peers = new Peers()
let failed = true
try {
  for (const name of peerNames) {
    subjects[name].port = await peers.start(name, subjects[name].recorder.port)
  }
  const chosen = <T extends RawCase>(cases: readonly T[]): T[] =>
    cases.filter(({ name }) => name.includes(values.only))
  const requests = await compare("request", chosen(requestCases()), (subject, each) =>
    subject.request(each),
  )
  const responses = await compare("response", chosen(responseCases()), (subject, each) =>
    subject.response(each),
  )
  printTable("requests", requests)
  printTable("responses", responses)
  failed = printLaxities([...requests, ...responses])
} finally {
  for (const { recorder } of Object.values(subjects)) recorder.stop()
  await peers.stop()
}
process.exit(failed ? 1 : 0)

/** All three at once, case by case. */
async function compare<T extends RawCase>(
  kind: Row["kind"],
  cases: readonly T[],
  judge: (subject: Subject, each: T) => Promise<Verdict>,
): Promise<Row[]> {
  const rows: Row[] = []
  for (const each of cases) {
    const [bunlb, nginx, haproxy] = await Promise.all([
      judge(subjects.bunlb, each),
      judge(subjects.nginx, each),
      judge(subjects.haproxy, each),
    ])
    rows.push({ kind, name: each.name, text: each.text, verdicts: { bunlb, nginx, haproxy } })
  }
  return rows
}

function printTable(what: string, rows: readonly Row[]): void {
  const counts = new Map<string, Record<PeerName, number>>()
  for (const { verdicts } of rows) {
    for (const name of peerNames) {
      const row = counts.get(verdicts[name].text) ?? { bunlb: 0, nginx: 0, haproxy: 0 }
      row[name]++
      counts.set(verdicts[name].text, row)
    }
  }
  console.log(`\n${rows.length} ${what}`)
  console.log(`${"".padEnd(50)}${peerNames.map((name) => name.padStart(9)).join("")}`)
  for (const [text, row] of [...counts].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const cells = peerNames.map((name) => String(row[name] || "-").padStart(9))
    console.log(`${text.padEnd(50)}${cells.join("")}`)
  }
  if (!values.verbose) return
  for (const { name, text, verdicts } of rows) {
    const said = peerNames.map((peer) => `${peer} ${verdicts[peer].text}`)
    if (new Set(peerNames.map((peer) => verdicts[peer].text)).size === 1) continue
    console.log(`${name}: ${said.join(" | ")}\n    ${quote(text)}`)
  }
}

/** Returns whether a case is unexplained, or bunlb has passed on what is no message or not that client's. */
function printLaxities(rows: readonly Row[]): boolean {
  const counts = new Map<string, number>()
  let unexplained = 0
  for (const { kind, name, text, verdicts } of rows) {
    if (/malformed|not get its own/.test(verdicts.bunlb.text)) {
      unexplained++
      console.log(`\nwrong: ${name}: bunlb ${verdicts.bunlb.text}\n    ${quote(text)}`)
    }
    for (const peer of ["nginx", "haproxy"] as const) {
      const { bunlb } = verdicts
      const theirs = verdicts[peer]
      if (bunlb.passed <= theirs.passed || !theirs.refused) continue
      const reason = explanationOf({ kind, text, peer })
      if (reason !== null) {
        const key = `${peer} refuses: ${reason}`
        counts.set(key, (counts.get(key) ?? 0) + 1)
        continue
      }
      unexplained++
      console.log(`\nunexplained: ${name}: bunlb ${bunlb.text}, ${peer} ${theirs.text}`)
      console.log(`    ${quote(text)}`)
    }
  }
  console.log("\nbunlb lets pass what another refuses, explained in docs/http.md:")
  for (const [key, count] of [...counts].toSorted())
    console.log(`${String(count).padStart(5)}  ${key}`)
  console.log(`${String(unexplained).padStart(5)}  unexplained or wrong`)
  return unexplained > 0
}

function quote(text: string): string {
  const shown = JSON.stringify(text)
  return shown.length > 400 ? `${shown.slice(0, 400)}… (${text.length} bytes)` : shown
}
