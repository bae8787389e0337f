import type { Enqueued } from './enqueued.ts'
import { ServingError } from './serving-error.ts'

/** What makes requests into executions: a scheduler, or an ensemble. */
export interface Runner {
  /** Requests that wait or run. */
  readonly outstandingCount: number
  /** Takes a request. It is answered or fails, once. */
  enqueue(request: Enqueued): void
  /**
   * How long a batch of requests of so many rows would run, in microseconds, if they came together now; undefined when they would
   * wait, be parted, or not be run at all.
   */
  foresee?(rowCounts: readonly number[]): number | undefined
  /** Takes no more requests; resolves when those that came have been answered. */
  drain(): Promise<void>
}

/** The end of a runner: closed once, quiet when nothing is outstanding any more. */
export class Drain {
  readonly #outstandingCount: () => number
  readonly #waiting: (() => void)[] = []
  isBegun = false

  constructor(outstandingCount: () => number) {
    this.#outstandingCount = outstandingCount
  }

  /** Resolves when nothing is outstanding. */
  async begin(): Promise<void> {
    this.isBegun = true
    if (this.#outstandingCount() === 0) return
    await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  /** To be called whenever a request is over. */
  settle(): void {
    if (!this.isBegun || this.#outstandingCount() > 0) return
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

/** What a request hears that comes after {@link Drain.begin}. */
export function stopped(): ServingError {
  return new ServingError(
    'UNAVAILABLE',
    'Server is stopping, scheduler for model has stopped accepting new inference requests',
    'REJECTED',
  )
}

/** What becomes of a request that nobody waits for any more. */
export function cancelled(): ServingError {
  return new ServingError('CANCELLED', 'request cancelled', 'CANCELED')
}
