/** Why a file could not be used, in the words of a person: `ENOENT` helps nobody who does not know it already. */
const words: Readonly<Record<string, string>> = {
  ENOENT: "no such file or folder",
  EACCES: "permission denied",
  EISDIR: "is a directory, name a file",
  ENOTDIR: "a part of the path is no folder",
  EROFS: "the file system is read-only",
  ENOSPC: "the disk is full",
}

/** The words for what an operation on a file threw, or its code. */
export function fileFault(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error"
  return words[code] ?? code
}
