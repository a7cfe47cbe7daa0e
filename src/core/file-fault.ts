/** Why a file could not be used, in plain words: `ENOENT` helps only people who know it already. */
const words: Readonly<Record<string, string>> = {
  ENOENT: "no such file or folder",
  EACCES: "permission denied",
  EISDIR: "is a directory, name a file",
  ENOTDIR: "a part of the path is no folder",
  EROFS: "the file system is read-only",
  ENOSPC: "the disk is full",
  EFBIG: "is too large",
  EAGAIN: "makes its reader wait, name a file",
  ENXIO: "is a pipe or device without anybody at its other end, name a file",
  ELOOP: "is a link that leads to itself",
  ENAMETOOLONG: "the name is too long",
  FIFO: "is a pipe, name a file",
  SOCKET: "is a socket, name a file",
  DEVICE: "is a device, name a file",
}

/** The words for what an operation on a file threw, or its code. */
export function fileFault(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error"
  return words[code] ?? code
}
