/**
 * The dashboard: one page with its style and script inside, which loads nothing but what this listener serves. Its
 * headers let the browser run that one script and no other, so that no name from a configuration can become code.
 * The page is built from src/admin/dashboard/ by `bun run dashboard`.
 */
import type { Answer } from "./http-answer.ts"
import dashboard from "./dashboard.html" with { type: "text" }

/** As text, which the types do not know. */
const html = dashboard as unknown as string

let page: Answer | null = null

export function showDashboard(): Answer {
  page ??= { status: 200, headers: pageHeaders(), body: [new TextEncoder().encode(html)] }
  return page
}

function pageHeaders(): Record<string, string> {
  const policy = [
    "default-src 'none'",
    `script-src ${hashOf("script")}`,
    `style-src ${hashOf("style")}`,
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ]
  return {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": policy.join("; "),
    "cache-control": "no-cache",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
  }
}

/** The hash of what is between the only tags of that name, as CSP level 2 writes it. */
function hashOf(tag: "script" | "style"): string {
  const [, text = ""] = new RegExp(`<${tag}(?: [^>]*)?>(.*?)</${tag}>`, "s").exec(html) ?? []
  return `'sha256-${new Bun.CryptoHasher("sha256").update(text).digest("base64")}'`
}
