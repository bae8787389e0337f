/*
 * A client that is still sending sees a reset instead of the answer when the connection is closed under it. So its
 * bytes are read and dropped for a moment after the answer, within bounds.
 */

export const LINGER_MS = 1_000
export const LINGER_BYTES_MAX = 32 * 1024 * 1024
