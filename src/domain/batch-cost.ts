/** What a batch costs: `l(b) = A + B·b`, times a factor for the tail. */
export interface BatchCost {
  /** A: paid once per batch, ≥ 0. */
  readonly fixedMs: number
  /** B: paid for each row, ≥ 0. */
  readonly perRowMs: number
  /** How much longer than predicted nearly all batches take at most, ≥ 1. */
  readonly inflation: number
}

/** How long a batch of so many rows takes, nearly always. Never falls when rows are added. */
export function predictBatchMs(cost: BatchCost, rowCount: number): number {
  return (cost.fixedMs + cost.perRowMs * rowCount) * cost.inflation
}

// A sample counts half after 138 further ones: long enough to see batches of different sizes, short enough to follow
// a machine that is shared. Source: algorithms reference §5.3.
const FORGETTING = 0.995
// Of the estimate's error, so that samples of one size only, which say nothing of the slope, cannot inflate it for ever.
const COVARIANCE_MAX = 1_000
const INFLATION_START = 1.1
const INFLATION_MAX = 3
const INFLATION_STEP = 0.02
const INFLATION_QUANTILE = 0.95
// A sample this many typical deviations away is believed only so far: a pause of the machine is not the model's cost.
const OUTLIER_DEVIATIONS = 4
const DEVIATION_WEIGHT = 0.05

/**
 * Learns what batches cost from those that ran, by recursive least squares with forgetting.
 *
 * Before the first sample it predicts nothing (0 ms: every deadline that has not passed is feasible). The first one, which
 * carries page faults and lazy initialisation, only seeds the scale; the second replaces it.
 */
export class BatchCostModel implements BatchCost {
  #fixedMs = 0
  #perRowMs = 0
  #inflation = INFLATION_START
  #sampleCount = 0
  /** Typical distance of a sample from its prediction. */
  #deviationMs = 0
  // Covariance of the estimate: [[a, b], [b, c]].
  #a = COVARIANCE_MAX
  #b = 0
  #c = COVARIANCE_MAX

  get fixedMs(): number {
    return this.#fixedMs
  }

  get perRowMs(): number {
    return this.#perRowMs
  }

  get inflation(): number {
    return this.#inflation
  }

  /** A batch of `rowCount` rows took `tookMs`. */
  record(rowCount: number, tookMs: number): void {
    if (!(rowCount >= 1) || !(tookMs >= 0) || tookMs === Infinity) return
    this.#sampleCount += 1
    if (this.#sampleCount === 1) {
      this.#fixedMs = tookMs / 2
      this.#perRowMs = tookMs / 2 / rowCount
      this.#deviationMs = tookMs
      return
    }
    const predictedMs = this.#fixedMs + this.#perRowMs * rowCount
    this.#learnInflation(tookMs, predictedMs)
    this.#learnLine(rowCount, this.#believable(tookMs - predictedMs))
  }

  #believable(errorMs: number): number {
    const boundMs = OUTLIER_DEVIATIONS * this.#deviationMs
    const believedMs = Math.max(-boundMs, Math.min(boundMs, errorMs))
    // The believed error still widens the bound, so a lasting change is followed within some samples.
    this.#deviationMs += DEVIATION_WEIGHT * (Math.abs(believedMs) - this.#deviationMs)
    // Below a hundredth of the prediction lies only what clocks cannot resolve.
    this.#deviationMs = Math.max(this.#deviationMs, this.#fixedMs / 100, 1e-3)
    return believedMs
  }

  #learnLine(rowCount: number, errorMs: number): void {
    const p = this.#a + this.#b * rowCount
    const q = this.#b + this.#c * rowCount
    const divisor = FORGETTING + p + q * rowCount
    this.#fixedMs += (p / divisor) * errorMs
    this.#perRowMs += (q / divisor) * errorMs
    const limit = (variance: number): number => Math.min(variance / FORGETTING, COVARIANCE_MAX)
    this.#a = limit(this.#a - (p * p) / divisor)
    this.#c = limit(this.#c - (q * q) / divisor)
    const bound = Math.sqrt(Math.max(0, this.#a * this.#c))
    const covariance = (this.#b - (p * q) / divisor) / FORGETTING
    this.#b = Math.max(-bound, Math.min(bound, covariance))
    this.#keepPositive(rowCount)
  }

  // Neither part of a cost is negative. What one part gives up the other takes over, so that the prediction for
  // the size just seen stays.
  #keepPositive(rowCount: number): void {
    if (this.#perRowMs < 0) {
      this.#fixedMs = Math.max(0, this.#fixedMs + this.#perRowMs * rowCount)
      this.#perRowMs = 0
    } else if (this.#fixedMs < 0) {
      this.#perRowMs = Math.max(0, this.#perRowMs + this.#fixedMs / rowCount)
      this.#fixedMs = 0
    }
  }

  // Walks to the quantile of the ratio: up 19 times as far as down, so it rests where one in twenty exceeds it.
  #learnInflation(tookMs: number, predictedMs: number): void {
    const isExceeded = tookMs > predictedMs * this.#inflation
    const step = isExceeded ? INFLATION_QUANTILE : INFLATION_QUANTILE - 1
    const moved = this.#inflation + INFLATION_STEP * step
    this.#inflation = Math.max(1, Math.min(INFLATION_MAX, moved))
  }
}
