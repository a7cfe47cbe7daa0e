/** The version of bunlb, said once: in package.json. An executable knows its commit as well: the build tells it. */
import manifest from "../../package.json" with { type: "json" }

declare const BUNLB_COMMIT: string | undefined
declare const BUNLB_DATE: string | undefined

export const version: string = manifest.version

/** The commit that an executable was built from; "source" when this is no executable. */
export const commit: string = typeof BUNLB_COMMIT === "string" ? BUNLB_COMMIT : "source"

/** When that commit was made. */
export const commitDate: string = typeof BUNLB_DATE === "string" ? BUNLB_DATE : "unknown"
