/** How the end of a message body is known (RFC 9112 section 6.3). */
export const NO_BODY = 0
export const BY_LENGTH = 1
export const BY_CHUNKS = 2
export const BY_CLOSE = 3
