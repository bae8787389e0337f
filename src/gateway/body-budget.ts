import { BerthError } from '../domain/errors.ts'
import { decideShare } from '../domain/fair-share.ts'

/** Where the bytes of a body are counted while they are held. */
export interface ByteBudget {
  /**
   * @throws BerthError `ServiceUnavailable`: too many bodies are held.
   * @throws BerthError `ThrottlingException`: too many of this endpoint, beside what others hold.
   */
  take(byteCount: number): void
  giveBack(byteCount: number): void
}

/**
 * Bytes of invocation bodies that one gateway holds at a time, fairly shared among its endpoints (`domain/fair-share.ts`).
 * Counts what has arrived, not what was announced.
 */
export class BodyBudget {
  readonly #bytesMax: number
  readonly #heldByEndpoint = new Map<string, number>()
  #heldBytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  /** The budget as the bodies of one endpoint use it. */
  of(endpointName: string): ByteBudget {
    return new EndpointBudget(this, endpointName)
  }

  /** As {@link ByteBudget.take}, for one endpoint. */
  take(endpointName: string, wanted: number): void {
    const ownTaken = this.#heldByEndpoint.get(endpointName) ?? 0
    const room = { capacity: this.#bytesMax, taken: this.#heldBytes, ownTaken, wanted }
    const verdict = decideShare(room)
    if (verdict !== 'granted') throw refusal(verdict, endpointName, this.#bytesMax)
    this.#heldByEndpoint.set(endpointName, ownTaken + wanted)
    this.#heldBytes += wanted
  }

  giveBack(endpointName: string, byteCount: number): void {
    this.#heldBytes -= byteCount
    const left = (this.#heldByEndpoint.get(endpointName) ?? 0) - byteCount
    if (left > 0) this.#heldByEndpoint.set(endpointName, left)
    else this.#heldByEndpoint.delete(endpointName)
  }
}

class EndpointBudget implements ByteBudget {
  readonly #whole: BodyBudget
  readonly #endpointName: string

  constructor(whole: BodyBudget, endpointName: string) {
    this.#whole = whole
    this.#endpointName = endpointName
  }

  take(byteCount: number): void {
    this.#whole.take(this.#endpointName, byteCount)
  }

  giveBack(byteCount: number): void {
    this.#whole.giveBack(this.#endpointName, byteCount)
  }
}

function refusal(
  verdict: 'no-room' | 'over-share',
  endpointName: string,
  bytesMax: number,
): BerthError {
  const limit = `${bytesMax} bytes (BERTH_BUFFERED_BYTES_MAX)`
  if (verdict === 'no-room') {
    const what = `The bodies of all invocations exceed the limit of ${limit}.`
    return new BerthError('ServiceUnavailable', what)
  }
  const what = `The bodies of invocations of endpoint ${endpointName} exceed its share of ${limit}.`
  return new BerthError('ThrottlingException', what)
}
