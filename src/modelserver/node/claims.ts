/** Calls that one thread may have been handed beside the one that it runs. */
export const AHEAD_MAX = 8

/** Memory of the claims on the calls of one thread, for both of its sides. */
export function createClaimMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer((AHEAD_MAX + 1) * Uint32Array.BYTES_PER_ELEMENT)
}

/**
 * Decides who has a call that a thread was handed ahead of time: the thread, which begins it, or the model server, which
 * takes it back. Whoever comes first has it; both know at once, however busy the other is, and also when the thread has died.
 *
 * A place holds the id of the call that lies there, or 0. Ids are never used twice, so what the thread still finds in its line
 * of calls that were taken back cannot be mistaken for the one that has their place now.
 */
export class Claims {
  readonly #idByPlace: Uint32Array

  constructor(memory: SharedArrayBuffer) {
    this.#idByPlace = new Uint32Array(memory)
  }

  /** Lays a call open to both. @returns its place. @throws Error there is none free: too many were handed ahead. */
  offer(callId: number): number {
    const place = this.#idByPlace.findIndex((_id, at) => Atomics.load(this.#idByPlace, at) === 0)
    if (place === -1) throw new Error(`A thread has ${this.#idByPlace.length} calls ahead.`)
    Atomics.store(this.#idByPlace, place, callId)
    return place
  }

  /** @returns whether the call is the claimant's: false where the other side has it. */
  claim(callId: number, place: number): boolean {
    return Atomics.compareExchange(this.#idByPlace, place, callId, 0) === callId
  }

  /** As {@link claim}, for who does not know the place. */
  claimById(callId: number): boolean {
    const place = this.#idByPlace.indexOf(callId)
    return place !== -1 && this.claim(callId, place)
  }
}
