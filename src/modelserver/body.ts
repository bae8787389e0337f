import { Buffer } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import { Rejection } from './rejection.ts'

/**
 * Reads a request body to its end, into memory of its own so that it can be given to another thread.
 *
 * @throws Rejection 413: it is, or says it is, larger than the limit.
 * @throws Error the client left.
 */
export async function readBody(request: IncomingMessage, bodyBytesMax: number): Promise<Buffer> {
  const declaredBytes = Number(request.headers['content-length'] ?? 0)
  if (declaredBytes > bodyBytesMax) throw tooLarge(bodyBytesMax)
  const chunks: Buffer[] = []
  let bodyBytes = 0
  for await (const chunk of bodyChunks(request)) {
    bodyBytes += chunk.length
    if (bodyBytes > bodyBytesMax) throw tooLarge(bodyBytesMax)
    chunks.push(chunk)
  }
  const body = Buffer.allocUnsafeSlow(bodyBytes)
  let offset = 0
  for (const chunk of chunks) offset += chunk.copy(body, offset)
  return body
}

function bodyChunks(request: IncomingMessage): AsyncIterable<Buffer> {
  // A body that is refused half way must not destroy the socket on which the refusal is to go.
  return request.iterator({ destroyOnReturn: false })
}

function tooLarge(bodyBytesMax: number): Rejection {
  return new Rejection(413, `The request body is larger than ${bodyBytesMax} bytes.`)
}
