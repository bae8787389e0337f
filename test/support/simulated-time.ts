import type { Clock } from '../../src/ports/clock.ts'

/** Numbers in [0, 1), the same for the same seed on every machine. */
export function seededRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}

/** Of a Poisson process: how long until the next event. */
export function nextEventMs(meanMs: number, random: () => number): number {
  return -Math.log(1 - random()) * meanMs
}

/** Time that passes only from one event to the next: how busy the machine is changes nothing. */
export class SimulatedTime implements Clock {
  #nowMs = 0
  // Latest first, so that the next one is popped.
  readonly #events: { readonly atMs: number; readonly happen: () => void }[] = []

  nowMs(): number {
    return this.#nowMs
  }

  async sleep(delayMs: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const abandon = (): void => reject(signal.reason)
    signal.addEventListener('abort', abandon, { once: true })
    this.at(this.#nowMs + delayMs, resolve)
    await promise
    signal.removeEventListener('abort', abandon)
  }

  /** What happens at the same time happens in the order of these calls. */
  at(atMs: number, happen: () => void): void {
    let index = this.#events.length
    while (index > 0 && (this.#events[index - 1]?.atMs ?? Infinity) <= atMs) index -= 1
    this.#events.splice(index, 0, { atMs, happen })
  }

  /**
   * Until nothing is left to happen.
   *
   * @param isSettled false when promises have to be waited for between two events.
   * @param untilMs what would happen later does not.
   */
  async run(isSettled: () => boolean, untilMs = Infinity): Promise<void> {
    for (let next = this.#events.pop(); next !== undefined; next = this.#events.pop()) {
      if (next.atMs > untilMs) return
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      next.happen()
      if (!isSettled()) await new Promise((resolve) => setImmediate(resolve))
    }
  }
}

/** A time during which something stands still. */
export interface Pause {
  readonly atMs: number
  readonly lengthMs: number
}

/** How often and how long something stands still, on average. */
export interface Disturbance {
  readonly everyMs: number
  readonly lengthMs: number
  readonly untilMs: number
}

/** Pauses at random moments, of random lengths, one after another. */
export function drawPauses(disturbance: Disturbance, random: () => number): readonly Pause[] {
  const { everyMs, lengthMs, untilMs } = disturbance
  const pauses: Pause[] = []
  for (let atMs = nextEventMs(everyMs, random); atMs < untilMs;) {
    const pause = { atMs, lengthMs: nextEventMs(lengthMs, random) }
    pauses.push(pause)
    atMs += pause.lengthMs + nextEventMs(everyMs, random)
  }
  return pauses
}

/** When work of so long that begins now ends, standing still in the pauses. */
export function endOfWorkMs(nowMs: number, workMs: number, pauses: readonly Pause[]): number {
  let endMs = nowMs + workMs
  for (const { atMs, lengthMs } of pauses) {
    if (atMs > endMs) break
    endMs += Math.max(0, atMs + lengthMs - Math.max(atMs, nowMs))
  }
  return endMs
}
