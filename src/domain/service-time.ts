import { BatchCostModel, predictBatchMs } from './batch-cost.ts'

/** How long an instance would take. */
export interface ServicePrediction {
  /** For an invocation with so many others before it, nearly always; 0 while nothing is known. */
  predictMs(aheadCount: number): number
}

/**
 * Learns how long an instance takes for an invocation, given how many it has before it.
 *
 * ```text
 * one thread, 20 ms each:  0 before it → 20, 4 → 100, 9 → 200     slope 20
 * many threads:            0 before it → 20, 4 →  20, 9 →  20     slope  0
 * batches of l(b) = 3 + b: 0 before it →  4, 4 →   8, 9 →  13     slope  1
 * ```
 *
 * A straight line through these, whatever is inside: the same learner as for batches. Dividing what was answered by the time
 * would be simpler and wrong: it takes the arrivals of an idle instance for its capacity.
 */
export class ServiceTime implements ServicePrediction {
  readonly #line = new BatchCostModel()

  predictMs(aheadCount: number): number {
    return predictBatchMs(this.#line, aheadCount + 1)
  }

  /** An invocation that had so many before it was answered. */
  record(aheadCount: number, tookMs: number): void {
    this.#line.record(aheadCount + 1, tookMs)
  }
}
