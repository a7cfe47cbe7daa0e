/** Drains and enables backends over the API. Asks for the admin token when the listener wants one. */
import { at, elementAt } from "./dom.ts"

export type Verb = "drain" | "enable"

/** Kept for as long as the page is open. */
let token = ""

export async function command(name: string, verb: Verb): Promise<void> {
  const headers = token === "" ? {} : { authorization: `Bearer ${token}` }
  const url = `/api/v1/backends/${encodeURIComponent(name)}/${verb}`
  const response = await fetch(url, { method: "POST", headers }).catch(() => null)
  if (response?.ok) return
  if (response?.status === 401) return askToken(() => void command(name, verb))
  const answer: unknown = await response?.json().catch(() => null)
  alert(`${verb} ${name}: ${messageOf(answer) ?? "no answer"}`)
}

/** What the API says of a refusal: `{"error": {"message": "..."}}`. */
function messageOf(answer: unknown): string | null {
  const { error } = (answer ?? {}) as { error?: { message?: unknown } }
  return typeof error?.message === "string" ? error.message : null
}

function askToken(then: () => void): void {
  const dialog = elementAt("ask", HTMLDialogElement)
  const input = elementAt("token", HTMLInputElement)
  dialog.returnValue = ""
  dialog.onclose = () => {
    token = input.value
    input.value = ""
    if (dialog.returnValue === at("go").getAttribute("value") && token !== "") then()
  }
  dialog.showModal()
}
