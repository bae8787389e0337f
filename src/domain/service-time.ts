import { BatchCostModel } from './batch-cost.ts'

/** How long an instance would take. */
export interface ServicePrediction {
  /** For an invocation with so many others before it, nearly always; 0 while nothing is known. */
  predictMs(aheadCount: number): number
  /** Typically for an invocation that finds it with nothing else to do; 0 while none did. */
  readonly idleMs: number
}

// A sample counts half after 69 further ones: an instance that has become slow is to be found out soon, and errs only for a while.
const FORGETTING = 0.99
// How much longer than expected nearly all take at most, as a share of what is expected.
const MARGIN_START = 0.1
// So whoever is expected within half of the time is never refused, however uneven the machine.
const MARGIN_MAX = 1
const MARGIN_STEP = 0.02
const MARGIN_QUANTILE = 0.95
const IDLE_STEP = 1.1
// Of the time within which an answer is useful: who is predicted to take less than this share tells nothing of the margin.
const TELLING_SHARE = 0.5

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
 *
 * On top comes a margin, learned only where refusals are decided: near the end of the useful time. Behind few others a pause of
 * the machine is a multiple of what is expected, behind many a fraction; with a margin learned from both, a machine that keeps
 * stopping for moments makes the gateway refuse what would be in time.
 */
export class ServiceTime implements ServicePrediction {
  readonly #line = new BatchCostModel(FORGETTING)
  readonly #usefulMs: number
  #margin = MARGIN_START
  #idleMs = 0

  /** @param usefulMs within which an answer is useful; may be infinite. */
  constructor(usefulMs: number) {
    this.#usefulMs = usefulMs
  }

  // Under load nobody finds it idle: what was seen then may be long ago, and what the line says of it now is a guess.
  get idleMs(): number {
    return Math.min(this.#idleMs, this.predictMs(0))
  }

  predictMs(aheadCount: number): number {
    const expectedMs = this.#line.fixedMs + this.#line.perRowMs * (aheadCount + 1)
    return expectedMs * (1 + this.#margin)
  }

  /** An invocation that had so many before it was answered. */
  record(aheadCount: number, tookMs: number): void {
    const predictedMs = this.predictMs(aheadCount)
    if (predictedMs > TELLING_SHARE * this.#usefulMs) this.#learnMargin(tookMs > predictedMs)
    this.#line.record(aheadCount + 1, tookMs)
    if (aheadCount === 0) this.#learnIdle(tookMs)
  }

  // Walks to the median, so that a pause counts as one step.
  #learnIdle(tookMs: number): void {
    if (this.#idleMs === 0) this.#idleMs = tookMs
    else this.#idleMs *= tookMs > this.#idleMs ? IDLE_STEP : 1 / IDLE_STEP
  }

  // Walks to the quantile: up 19 times as far as down, so it rests where one in twenty takes longer.
  #learnMargin(isExceeded: boolean): void {
    const step = isExceeded ? MARGIN_QUANTILE : MARGIN_QUANTILE - 1
    const moved = this.#margin + MARGIN_STEP * step
    this.#margin = Math.max(0, Math.min(MARGIN_MAX, moved))
  }
}
