/** Who in a waiting line gets the next slot. */
export type LineOrder = 'first-come' | 'last-come'

// A share of the time within which an answer is useful: a wait of that length, kept up, is a queue that does not drain.
// Source: algorithms reference §5.4.
const TARGET_SHARE = 0.25
const TARGET_MS_MIN = 5
const INTERVAL_MS_MIN = 100

/**
 * Notices a waiting line that does not drain, and says how to serve it.
 *
 * | the longest wait | for a whole interval | order | stale |
 * |---|---|---|---|
 * | at most the target, or nobody waits | – | first come | nobody |
 * | above the target | not yet | first come: a burst drains by itself | nobody |
 * | above the target | yes | last come | who waits longer than twice the target |
 *
 * First come, first served would answer everyone late in such a line: each invocation waits for all before it, and those who
 * are served have mostly given up. Last come answers the newest in time and gives up the oldest early. The first moment
 * without a long wait ends it.
 */
export class LineDiscipline {
  readonly #targetMs: number
  readonly #intervalMs: number
  #calmAtMs = -Infinity

  /** @param usefulMs within which an answer is useful; infinite: always first come. */
  constructor(usefulMs: number) {
    this.#targetMs = Math.max(TARGET_MS_MIN, TARGET_SHARE * usefulMs)
    this.#intervalMs = Math.max(INTERVAL_MS_MIN, 2 * this.#targetMs)
  }

  /** @param longestWaitMs of those who wait now; undefined when nobody does. */
  observe(longestWaitMs: number | undefined, nowMs: number): LineOrder {
    if (longestWaitMs === undefined || longestWaitMs <= this.#targetMs) this.#calmAtMs = nowMs
    return nowMs - this.#calmAtMs > this.#intervalMs ? 'last-come' : 'first-come'
  }

  /** Whether who has waited so long is given up while the order is last come. */
  isStale(waitedMs: number): boolean {
    return waitedMs > 2 * this.#targetMs
  }
}
