import { BerthError } from '../domain/errors.ts'
import { decideShare } from '../domain/fair-share.ts'

/** Where the bytes of a body are counted while they are held. */
export interface ByteBudget {
  /**
   * @throws BerthError `ServiceUnavailable`: too many bodies are held.
   * @throws BerthError `ThrottlingException`: too many of this endpoint or container, beside what others hold.
   */
  take(byteCount: number): void
  giveBack(byteCount: number): void
}

/**
 * Bytes of invocation bodies that one gateway holds at a time, fairly shared among its endpoints, and among the containers
 * of one whose callers name them (`domain/fair-share.ts`).
 *
 * Counts what has arrived, not what was announced.
 */
export class BodyBudget {
  readonly #bytesMax: number
  readonly #heldBySharer = new Map<string, number>()
  #heldBytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  /** The budget as the bodies of one endpoint, or of one container of it that callers name, use it. */
  of(endpointName: string, directHostname?: string): ByteBudget {
    const endpoint = `endpoint ${endpointName}`
    const sharer =
      directHostname === undefined ? endpoint : `container ${directHostname} of ${endpoint}`
    return new SharersBudget(this, sharer)
  }

  /** As {@link ByteBudget.take}, for one of those who share. */
  take(sharer: string, wanted: number): void {
    const ownTaken = this.#heldBySharer.get(sharer) ?? 0
    const room = { capacity: this.#bytesMax, taken: this.#heldBytes, ownTaken, wanted }
    const verdict = decideShare(room)
    if (verdict !== 'granted') throw refusal(verdict, sharer, this.#bytesMax)
    this.#heldBySharer.set(sharer, ownTaken + wanted)
    this.#heldBytes += wanted
  }

  giveBack(sharer: string, byteCount: number): void {
    this.#heldBytes -= byteCount
    const left = (this.#heldBySharer.get(sharer) ?? 0) - byteCount
    if (left > 0) this.#heldBySharer.set(sharer, left)
    else this.#heldBySharer.delete(sharer)
  }
}

class SharersBudget implements ByteBudget {
  readonly #whole: BodyBudget
  readonly #sharer: string

  constructor(whole: BodyBudget, sharer: string) {
    this.#whole = whole
    this.#sharer = sharer
  }

  take(byteCount: number): void {
    this.#whole.take(this.#sharer, byteCount)
  }

  giveBack(byteCount: number): void {
    this.#whole.giveBack(this.#sharer, byteCount)
  }
}

function refusal(verdict: 'no-room' | 'over-share', sharer: string, bytesMax: number): BerthError {
  const limit = `${bytesMax} bytes (BERTH_BUFFERED_BYTES_MAX)`
  if (verdict === 'no-room') {
    const what = `The bodies of all invocations exceed the limit of ${limit}.`
    return new BerthError('ServiceUnavailable', what)
  }
  const what = `The bodies of invocations of ${sharer} exceed its share of ${limit}.`
  return new BerthError('ThrottlingException', what)
}
