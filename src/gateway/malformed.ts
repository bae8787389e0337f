import type { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

const REFUSAL_BY_CODE: Readonly<Record<string, readonly [status: string, message: string]>> = {
  HPE_HEADER_OVERFLOW: [
    '431 Request Header Fields Too Large',
    'The head of the request exceeds 16384 bytes.',
  ],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ['413 Payload Too Large', 'The chunk extensions are too long.'],
  ERR_HTTP_REQUEST_TIMEOUT: [
    '408 Request Timeout',
    'The head of the request did not arrive in time.',
  ],
}
const MALFORMED = ['400 Bad Request', 'The request is not well-formed HTTP/1.1.'] as const

/**
 * Answers bytes that are no HTTP request, and closes.
 *
 * @param current the response last begun on this socket
 */
export function refuseMalformed(
  error: Error,
  socket: Duplex,
  current: ServerResponse | undefined,
): void {
  if (!socket.writable || isAnswering(current)) {
    socket.destroy()
    return
  }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  const [status, message] = REFUSAL_BY_CODE[code] ?? MALFORMED
  const body = JSON.stringify({ message })
  const head = [
    `HTTP/1.1 ${status}`,
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
    'Connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy())
}

/** Answers a head that did not come to its end in time, and closes. */
export function refuseSlowHead(socket: Duplex): void {
  const code = 'ERR_HTTP_REQUEST_TIMEOUT'
  refuseMalformed(Object.assign(new Error('The head is too slow.'), { code }), socket, undefined)
}

// An answer to a broken second request must not be taken for the answer to the first, which is still due.
function isAnswering(current: ServerResponse | undefined): boolean {
  if (current === undefined || current.writableFinished) return false
  return current.headersSent || current.req.complete
}
