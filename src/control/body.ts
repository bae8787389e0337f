import type { IncomingMessage } from 'node:http'
import { BerthError } from '../domain/errors.ts'

/** What a control-plane request may carry. The largest legal ones have some hundred kilobytes. */
export const BODY_BYTES_MAX = 2 * 1024 * 1024

/** How long a client may take to send it. */
export const BODY_TIMEOUT_MS = 30_000

/**
 * Reads a whole body. What comes after a refusal is dropped unread, so that the reply still reaches the client.
 *
 * @throws BerthError `RequestEntityTooLargeException`, `RequestTimeout`: too much, too slowly.
 */
export async function readBody(
  request: IncomingMessage,
  { bytesMax, signal }: { readonly bytesMax: number; readonly signal: AbortSignal },
): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) throw tooLarge(bytesMax)
  const body = new BodyReader(bytesMax)
  const giveUp = (): void => body.fail(tooSlow())
  request.on('data', body.add).on('end', body.end).on('error', body.fail).on('close', body.close)
  signal.addEventListener('abort', giveUp, { once: true })
  try {
    return await body.promise
  } finally {
    signal.removeEventListener('abort', giveUp)
    request.off('data', body.add).resume()
  }
}

class BodyReader {
  readonly #settled = Promise.withResolvers<Buffer>()
  readonly #bytesMax: number
  readonly #chunks: Buffer[] = []
  #byteCount = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get promise(): Promise<Buffer> {
    return this.#settled.promise
  }

  readonly add = (chunk: Buffer): void => {
    this.#byteCount += chunk.length
    if (this.#byteCount <= this.#bytesMax) this.#chunks.push(chunk)
    else this.fail(tooLarge(this.#bytesMax))
  }

  readonly end = (): void => this.#settled.resolve(Buffer.concat(this.#chunks))

  readonly fail = (error: Error): void => this.#settled.reject(error)

  // After `end` this changes nothing.
  readonly close = (): void => this.fail(new Error('the client went away'))
}

function tooLarge(bytesMax: number): BerthError {
  return new BerthError(
    'RequestEntityTooLargeException',
    `The request body is larger than ${bytesMax} bytes.`,
  )
}

function tooSlow(): BerthError {
  return new BerthError('RequestTimeout', 'The request body did not arrive in time.')
}
