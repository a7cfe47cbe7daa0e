/** The version of bunlb, said once: in package.json. */
import manifest from "../../package.json" with { type: "json" }

export const version: string = manifest.version
