import type { HedgeOptions } from './graph.ts'

// The 95th percentile of fewer is a guess.
const SAMPLES_MIN = 20
const SAMPLES_MAX = 200
const PERCENTILE = 0.95
// Second calls that may be sent at once after a quiet time.
const TOKENS_MAX = 5

/**
 * Decides when a call that is slow is sent a second time.
 *
 * A hedge cuts the tail only while it is rare: sent for every slow call it doubles the load just when the target is
 * overloaded. So each first call earns a share of a second one, and a second one takes a whole.
 *
 * Source: Dean and Barroso, "The Tail at Scale" (2013): after the 95th percentile, 2 to 5 % more calls.
 */
export class Hedging {
  readonly #options: HedgeOptions
  readonly #latenciesMs: number[] = []
  #next = 0
  #tokens = 1

  constructor(options: HedgeOptions) {
    this.#options = options
  }

  /** A first call is sent. @returns when a second one would be, in ms; undefined while nothing is known. */
  decideDelayMs(): number | undefined {
    this.#tokens = Math.min(TOKENS_MAX, this.#tokens + this.#options.budgetPercent / 100)
    if (this.#options.afterMs !== undefined) return this.#options.afterMs
    if (this.#latenciesMs.length < SAMPLES_MIN) return undefined
    const sorted = this.#latenciesMs.toSorted((a, b) => a - b)
    return sorted[Math.floor(PERCENTILE * (sorted.length - 1))]
  }

  /** Whether the budget has a second call. Takes it. */
  claimSecondCall(): boolean {
    if (this.#tokens < 1) return false
    this.#tokens -= 1
    return true
  }

  /** A call was answered. */
  record(latencyMs: number): void {
    if (this.#latenciesMs.length < SAMPLES_MAX) this.#latenciesMs.push(latencyMs)
    else this.#latenciesMs[this.#next] = latencyMs
    this.#next = (this.#next + 1) % SAMPLES_MAX
  }
}
