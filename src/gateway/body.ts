import type { IncomingMessage } from 'node:http'

import { BerthError } from '../domain/errors.ts'
import type { ByteBudget } from './body-budget.ts'
import { ClientGone } from './deadline.ts'

/** Bounds of one body. */
export interface BodyLimits {
  readonly bodyBytesMax: number
  /** From the end of the head to the last byte. */
  readonly bodyTimeoutMs: number
  readonly budget: ByteBudget
}

/** A body in memory; its bytes count against the budget until it is disposed of. */
export interface HeldBody extends Disposable {
  readonly bytes: Buffer
}

/** @throws BerthError `RequestEntityTooLargeException`: the head announces more than the limit. */
export function assertAnnouncedLength(announcedBytes: number, bodyBytesMax: number): void {
  if (announcedBytes > bodyBytesMax) throw tooLarge(bodyBytesMax)
}

/**
 * Reads the whole body of a request that node's HTTP server reads.
 *
 * A body that arrives in one piece, as small ones do, is not copied; another one of announced length is copied once into
 * its exact size.
 *
 * @throws BerthError `RequestEntityTooLargeException`: longer than the limit.
 * @throws BerthError `RequestTimeout`: it did not arrive in time.
 * @throws BerthError `ServiceUnavailable` or `ThrottlingException`: the budget, or the endpoint's share, is used up.
 * @throws ClientGone when the connection broke.
 */
export async function readBody(request: IncomingMessage, limits: BodyLimits): Promise<HeldBody> {
  const pieces = new BodyPieces(limits)
  try {
    await readPieces(request, pieces, limits)
    const bytes = pieces.join()
    return { bytes, [Symbol.dispose]: () => pieces.giveBack() }
  } catch (error) {
    pieces.giveBack()
    throw error
  }
}

async function readPieces(
  request: IncomingMessage,
  pieces: BodyPieces,
  limits: BodyLimits,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const add = (piece: Buffer): void => {
    try {
      pieces.add(piece)
    } catch (error) {
      reject(error)
    }
  }
  const breakOff = (): void => reject(new ClientGone())
  const timer = setTimeout(() => reject(tooSlow(limits)), limits.bodyTimeoutMs)
  request.on('data', add)
  request.once('end', resolve)
  request.once('error', breakOff)
  request.once('close', breakOff)
  try {
    await promise
  } finally {
    clearTimeout(timer)
    request.removeListener('data', add)
    request.removeListener('end', resolve)
    request.removeListener('close', breakOff)
  }
}

class BodyPieces {
  readonly #limits: BodyLimits
  readonly #pieces: Buffer[] = []
  #byteCount = 0

  constructor(limits: BodyLimits) {
    this.#limits = limits
  }

  add(piece: Buffer): void {
    if (this.#byteCount + piece.length > this.#limits.bodyBytesMax) {
      throw tooLarge(this.#limits.bodyBytesMax)
    }
    this.#limits.budget.take(piece.length)
    this.#byteCount += piece.length
    this.#pieces.push(piece)
  }

  join(): Buffer {
    const [first] = this.#pieces
    if (this.#pieces.length === 1 && first !== undefined) return first
    const joined = Buffer.concat(this.#pieces, this.#byteCount)
    this.#pieces.length = 0
    return joined
  }

  giveBack(): void {
    this.#limits.budget.giveBack(this.#byteCount)
    this.#byteCount = 0
  }
}

function tooLarge(bodyBytesMax: number): BerthError {
  const limit = `${bodyBytesMax} bytes (BERTH_BODY_BYTES_MAX)`
  return new BerthError('RequestEntityTooLargeException', `The body exceeds the limit of ${limit}.`)
}

/** The failure of a body that did not come to its end in time. */
export function tooSlow({ bodyTimeoutMs }: BodyLimits): BerthError {
  return new BerthError('RequestTimeout', `The body did not arrive within ${bodyTimeoutMs} ms.`)
}
