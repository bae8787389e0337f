import type { FramesAddress } from './fleet.ts'

/** Header of a ping's reply by which an instance says that it speaks frames: `1 w0,w1`. */
export const FRAMES_HEADER = 'x-berth-frames'

// As many as a model server may have workers.
const SOCKETS_MAX = 64

/** The header's value: version and one suffix for each worker's socket. */
export function encodeFramesHeader(version: number, suffixes: readonly string[]): string {
  return `${version} ${suffixes.join(',')}`
}

/** The suffix of the socket of a worker, counted from 0. */
export function frameSocketSuffix(worker: number): string {
  return `w${worker}`
}

/** The socket with a suffix, beside the instance's HTTP socket: `/run/a.sock` and `w0` give `/run/a.w0`. */
export function frameSocketPath(httpSocketPath: string, suffix: string): string {
  return `${httpSocketPath.replace(/\.sock$/, '')}.${suffix}`
}

/**
 * Where an instance speaks frames.
 *
 * @param header the value of {@link FRAMES_HEADER}.
 * @returns undefined when it speaks none, or says so in a way that cannot be trusted to name its own sockets.
 */
export function parseFramesHeader(
  header: string | undefined,
  httpSocketPath: string,
): FramesAddress | undefined {
  const match = /^(\d{1,4}) (w\d{1,2}(?:,w\d{1,2})*)$/.exec(header ?? '')
  const suffixes = match?.[2]?.split(',') ?? []
  if (match === null || suffixes.length > SOCKETS_MAX) return undefined
  const socketPaths = suffixes.map((suffix) => frameSocketPath(httpSocketPath, suffix))
  return { version: Number(match[1]), socketPaths }
}
