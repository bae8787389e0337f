import type { IncomingMessage, ServerResponse } from 'node:http'

import { toBerthError, encodeError } from '../wire/errors.ts'
import type { WireReply } from '../wire/errors.ts'
import type { ProtocolFamily } from '../wire/auth-errors.ts'
import { encodeXml } from '../wire/xml-text.ts'
import { AuthRefusal } from './authenticate.ts'

// A client that is still sending sees a reset instead of the answer when the connection is closed under it. So its
// bytes are read and dropped for a moment after the answer, within bounds.
const LINGER_MS = 1_000
const LINGER_BYTES_MAX = 32 * 1024 * 1024

/** A failure as one protocol family says it. */
export function encodeFailure(
  family: ProtocolFamily,
  thrown: unknown,
  requestId: string,
): WireReply {
  const error = thrown instanceof AuthRefusal ? thrown.failure : toBerthError(thrown, requestId)
  const reply =
    family === 's3'
      ? encodeS3Error(toBerthError(thrown, requestId), requestId)
      : encodeError(family, error, requestId)
  if (reply.status !== 503) return reply
  return { ...reply, headers: { ...reply.headers, 'Retry-After': '1' } }
}

/**
 * Sends a whole reply. When the request has not come to its end, the connection is closed after it: what is left of
 * the body must not be read as the next request.
 */
export function answer(request: IncomingMessage, response: ServerResponse, reply: WireReply): void {
  if (response.headersSent || response.destroyed) {
    response.destroy()
    return
  }
  const body = Buffer.from(reply.body)
  const headers = { ...reply.headers, 'Content-Length': String(body.length) }
  if (request.complete || !hasBody(request)) {
    response.writeHead(reply.status, headers)
    response.end(body)
    return
  }
  response.writeHead(reply.status, { ...headers, Connection: 'close' })
  response.write(body)
  // A client that was promised `100 Continue` and did not get it sends nothing more.
  if (request.headers.expect !== undefined) response.end()
  else lingerThenEnd(request, response)
}

// `complete` is not yet true while the event of a request without a body is emitted.
function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/**
 * Drops what is left of a body, within bounds, and then ends: closing before would reset the connection, and a client
 * that is still sending would lose the reply.
 */
export function lingerThenEnd(request: IncomingMessage, response: ServerResponse): void {
  let droppedBytes = 0
  const end = (): void => {
    clearTimeout(timer)
    request.removeListener('data', drop)
    request.pause()
    response.end()
  }
  const drop = (piece: Buffer): void => {
    droppedBytes += piece.length
    if (droppedBytes > LINGER_BYTES_MAX) end()
  }
  const timer = setTimeout(end, LINGER_MS)
  request.on('data', drop)
  request.once('end', end)
  request.once('error', end)
  request.resume()
}

// Only what a gateway itself answers to S3 clients: that control is away, or that they are too slow.
function encodeS3Error(error: { code: string; message: string }, requestId: string): WireReply {
  const status =
    error.code === 'RequestTimeout' ? 400 : error.code === 'InternalFailure' ? 500 : 503
  const code = status === 500 ? 'InternalError' : error.code
  const body = encodeXml({ Code: code, Message: error.message, RequestId: requestId })
  return {
    status,
    headers: { 'Content-Type': 'application/xml', 'x-amz-request-id': requestId },
    body: `<?xml version="1.0" encoding="UTF-8"?>\n<Error>${body}</Error>`,
  }
}
