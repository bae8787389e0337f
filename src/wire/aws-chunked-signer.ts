import { createHash, createHmac, timingSafeEqual, type Hash } from 'node:crypto'
import type { StreamingPayload } from './auth-types.ts'
import { EMPTY_SHA256 } from './sigv4-canonical.ts'

/**
 * The chain of signatures through an aws-chunked body: each covers its chunk and the signature before it, the first
 * one that of the request's head.
 *
 * Source: S3 API reference, "Signature calculations … transferring payload in multiple chunks", also with trailers.
 */
export class ChunkSigner {
  readonly #payload: StreamingPayload
  #previous: string
  #hash: Hash = createHash('sha256')

  constructor(payload: StreamingPayload) {
    this.#payload = payload
    this.#previous = payload.seedSignature
  }

  /** Adds bytes of the current chunk. */
  update(bytes: Uint8Array): void {
    this.#hash.update(bytes)
  }

  /** Ends the current chunk and tells whether this is its signature. */
  verifyChunk(signature: string): boolean {
    const chunkHash = this.#hash.digest('hex')
    this.#hash = createHash('sha256')
    return this.#verify('AWS4-HMAC-SHA256-PAYLOAD', `${EMPTY_SHA256}\n${chunkHash}`, signature)
  }

  /** Whether this is the signature of the trailers. @param text `name:value\n` of each, sorted by name. */
  verifyTrailer(text: string, signature: string): boolean {
    const hash = createHash('sha256').update(text, 'latin1').digest('hex')
    return this.#verify('AWS4-HMAC-SHA256-TRAILER', hash, signature)
  }

  #verify(algorithm: string, hashes: string, signature: string): boolean {
    const { amzDate, scope, signingKey } = this.#payload
    const stringToSign = `${algorithm}\n${amzDate}\n${scope}\n${this.#previous}\n${hashes}`
    const expected = createHmac('sha256', signingKey).update(stringToSign).digest()
    this.#previous = signature
    if (!/^[0-9a-f]{64}$/.test(signature)) return false
    return timingSafeEqual(expected, Buffer.from(signature, 'hex'))
  }
}
