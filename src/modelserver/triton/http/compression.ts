import type { Buffer } from 'node:buffer'
import { promisify } from 'node:util'
import { deflate, gunzip, gzip, inflate } from 'node:zlib'
import { ServingError } from '../serving-error.ts'
import type { HttpReply } from './http-call.ts'

const gunzipBody = promisify(gunzip)
const inflateBody = promisify(inflate)
const gzipBody = promisify(gzip)
const deflateBody = promisify(deflate)

/**
 * Undoes a body's compression. `deflate` has the wrapper of zlib.
 *
 * @throws ServingError UNSUPPORTED or INVALID_ARG.
 */
export async function decompressBody(
  body: Buffer,
  encoding: string | undefined,
  bytesMax: number,
): Promise<Uint8Array> {
  if (encoding === undefined || encoding === '' || encoding === 'identity') return body
  if (encoding !== 'gzip' && encoding !== 'deflate') {
    throw new ServingError('UNSUPPORTED', 'Unsupported compression type')
  }
  const undo = encoding === 'gzip' ? gunzipBody : inflateBody
  try {
    return await undo(body, { maxOutputLength: bytesMax })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new ServingError('INVALID_ARG', `failed to decompress the request body: ${reason}`)
  }
}

/** @throws ServingError INVALID_ARG: a body is compressed where none may be. */
export function refuseEncoding(encoding: string | undefined): void {
  if (encoding === undefined || encoding === '' || encoding === 'identity') return
  const message = "Unsupported content-encoding, only 'identity' is supported."
  throw new ServingError('INVALID_ARG', message)
}

/** Chooses the encoding a client likes best among those that are offered; the first on a tie. */
export function chooseEncoding(accept: string | undefined): 'identity' | 'gzip' | 'deflate' {
  let best: 'identity' | 'gzip' | 'deflate' = 'identity'
  let bestQuality = 0
  for (const entry of (accept ?? '').split(',')) {
    const [name = '', ...parameters] = entry.split(';').map((part) => part.trim().toLowerCase())
    if (name !== 'identity' && name !== 'gzip' && name !== 'deflate') continue
    const given = parameters.find((parameter) => parameter.startsWith('q='))
    const quality = given === undefined ? 1 : Number(given.slice(2))
    if (quality > bestQuality) {
      best = name
      bestQuality = quality
    }
  }
  return best
}

/** Compresses an answer as the client likes. Lengths in its headers are those before. */
export async function compressReply(
  reply: HttpReply,
  accept: string | undefined,
): Promise<HttpReply> {
  const encoding = chooseEncoding(accept)
  const { body, canCompress } = reply
  const isWhole = typeof body === 'string' || body instanceof Uint8Array
  if (encoding === 'identity' || canCompress !== true || !isWhole) return reply
  const compressed = await (encoding === 'gzip' ? gzipBody(body) : deflateBody(body))
  return { ...reply, headers: { ...reply.headers, 'content-encoding': encoding }, body: compressed }
}
