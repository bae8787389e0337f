import type { IncomingMessage } from 'node:http'

import { BerthError } from '../domain/errors.ts'
import type { ByteBudget } from './body-budget.ts'
import { ClientGone } from './deadline.ts'

// A body is given its whole space when this part of it has come: an eighth.
const ALLOCATED_AT = 8
const NOTHING = Buffer.alloc(0)

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
 * A body that comes in pieces. One that comes in a single piece, as small ones do, is not copied; another one of
 * announced length is copied once, into its exact size, as it arrives, so that it is not held twice.
 */
export class ArrivingBody implements HeldBody {
  readonly #limits: BodyLimits
  readonly #announcedBytes: number
  #pieces: Buffer[] = []
  #whole: Buffer | undefined
  #byteCount = 0

  /** @param announcedBytes 0 when nothing was announced. */
  constructor(announcedBytes: number, limits: BodyLimits) {
    this.#announcedBytes = announcedBytes
    this.#limits = limits
  }

  /**
   * @throws BerthError `RequestEntityTooLargeException`: longer than the limit.
   * @throws BerthError `ServiceUnavailable`: the budget is used up.
   */
  add(piece: Buffer): void {
    const { bodyBytesMax, budget } = this.#limits
    if (this.#byteCount + piece.length > bodyBytesMax) throw tooLarge(bodyBytesMax)
    budget.take(piece.length)
    if (this.#whole === undefined) this.#pieces.push(piece)
    else piece.copy(this.#whole, this.#byteCount)
    this.#byteCount += piece.length
    if (this.#whole === undefined && this.#isWorthAllocating()) {
      this.#whole = Buffer.allocUnsafeSlow(this.#announcedBytes)
      Buffer.concat(this.#pieces).copy(this.#whole)
      this.#pieces = []
    }
  }

  /** All of it has come. @returns itself, whose disposal gives its bytes back to the budget. */
  hold(): HeldBody {
    const [first, ...others] = this.#pieces
    const bytes = this.#whole ?? (others.length === 0 ? first : Buffer.concat(this.#pieces))
    this.#pieces = []
    this.#whole = bytes ?? NOTHING
    return this
  }

  /** Empty until it is held. */
  get bytes(): Buffer {
    return this.#whole ?? NOTHING
  }

  [Symbol.dispose](): void {
    this.giveBack()
  }

  giveBack(): void {
    this.#limits.budget.giveBack(this.#byteCount)
    this.#byteCount = 0
  }

  // An announcement alone must not take memory: a client pays for it with a part of the body first.
  #isWorthAllocating(): boolean {
    const isWhole = this.#byteCount >= this.#announcedBytes
    return !isWhole && this.#byteCount >= this.#announcedBytes / ALLOCATED_AT
  }
}

/**
 * Reads the whole body of a request that node's HTTP server reads.
 *
 * @throws BerthError `RequestEntityTooLargeException`: longer than the limit.
 * @throws BerthError `RequestTimeout`: it did not arrive in time.
 * @throws BerthError `ServiceUnavailable`: the budget is used up.
 * @throws ClientGone when the connection broke.
 */
export async function readBody(request: IncomingMessage, limits: BodyLimits): Promise<HeldBody> {
  const body = new ArrivingBody(Number(request.headers['content-length'] ?? 0), limits)
  try {
    await readPieces(request, body, limits)
    return body.hold()
  } catch (error) {
    body.giveBack()
    throw error
  }
}

async function readPieces(
  request: IncomingMessage,
  body: ArrivingBody,
  limits: BodyLimits,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const add = (piece: Buffer): void => {
    try {
      body.add(piece)
    } catch (error) {
      reject(error)
    }
  }
  // The connection closes after every request, too: an error is made only for one that was not read to its end.
  const breakOff = (): void => {
    if (!request.readableEnded) reject(new ClientGone())
  }
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

function tooLarge(bodyBytesMax: number): BerthError {
  const limit = `${bodyBytesMax} bytes (BERTH_BODY_BYTES_MAX)`
  return new BerthError('RequestEntityTooLargeException', `The body exceeds the limit of ${limit}.`)
}

/** The failure of a body that did not come to its end in time. */
export function tooSlow({ bodyTimeoutMs }: Pick<BodyLimits, 'bodyTimeoutMs'>): BerthError {
  return new BerthError('RequestTimeout', `The body did not arrive within ${bodyTimeoutMs} ms.`)
}
