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
// Of the estimate's error, in first samples squared: samples of one size only, which say nothing of the slope, must not
// inflate it for ever.
const COVARIANCE_MAX = 100
const INFLATION_START = 1.1
const INFLATION_MAX = 3
const INFLATION_STEP = 0.02
const INFLATION_QUANTILE = 0.95
// Errors are shares of what is predicted or measured, whichever is more: a long batch is not more certain than a short
// one. One this many typical errors large weighs less: a pause of the machine is not the model's cost.
const OUTLIER_DEVIATIONS = 4
const DEVIATION_WEIGHT = 0.05
const DEVIATION_MIN = 0.02
// Shorter times are what clocks cannot resolve.
const MS_MIN = 1e-3
// Before that the typical error is not known, and the first guess of the slope may be far off.
const WARM_UP_SAMPLES = 10
// So many outliers in a row are no pauses: the cost has changed, and what was learned before counts no more.
const CHANGE_SAMPLES = 8

/**
 * Learns what batches cost from those that ran, by recursive least squares with forgetting.
 *
 * Before the first sample it predicts nothing (0 ms: every deadline that has not passed is feasible). The first one, which
 * carries page faults and lazy initialisation, only seeds the scale; the second replaces it.
 */
export class BatchCostModel implements BatchCost {
  readonly #forgetting: number
  #fixedMs = 0
  #perRowMs = 0
  #inflation = INFLATION_START
  #sampleCount = 0
  /** Typical error of a prediction, as a share. */
  #deviation = 1
  /** In a row. */
  #outlierCount = 0
  // Covariance of the estimate: [[a, b], [b, c]], bounded.
  #covarianceMax = 0
  #a = 0
  #b = 0
  #c = 0

  /** @param forgetting what a sample counts after one more, below 1. */
  constructor(forgetting = FORGETTING) {
    this.#forgetting = forgetting
  }

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
      this.#seed(rowCount, tookMs)
      return
    }
    const predictedMs = this.#fixedMs + this.#perRowMs * rowCount
    this.#learnInflation(tookMs, predictedMs)
    this.#learnLine(rowCount, tookMs, predictedMs)
  }

  #seed(rowCount: number, tookMs: number): void {
    this.#fixedMs = tookMs / 2
    this.#perRowMs = tookMs / 2 / rowCount
    this.#startOver(tookMs)
  }

  #startOver(scaleMs: number): void {
    this.#covarianceMax = COVARIANCE_MAX * Math.max(scaleMs, MS_MIN) ** 2
    this.#a = this.#covarianceMax
    this.#b = 0
    this.#c = this.#covarianceMax
    this.#outlierCount = 0
  }

  #learnLine(rowCount: number, tookMs: number, predictedMs: number): void {
    const scaleMs = Math.max(predictedMs, tookMs, MS_MIN)
    const error = (tookMs - predictedMs) / scaleMs
    const weight = this.#weigh(Math.abs(error))
    this.#outlierCount = weight < 1 ? this.#outlierCount + 1 : 0
    if (this.#outlierCount >= CHANGE_SAMPLES) this.#startOver(scaleMs)
    const x = 1 / scaleMs
    const y = rowCount / scaleMs
    const p = this.#a * x + this.#b * y
    const q = this.#b * x + this.#c * y
    const divisor = this.#forgetting / weight + p * x + q * y
    this.#fixedMs += (p / divisor) * error
    this.#perRowMs += (q / divisor) * error
    const limit = (variance: number): number => {
      return Math.max(0, Math.min(variance / this.#forgetting, this.#covarianceMax))
    }
    this.#a = limit(this.#a - (p * p) / divisor)
    this.#c = limit(this.#c - (q * q) / divisor)
    const bound = Math.sqrt(this.#a * this.#c)
    const covariance = (this.#b - (p * q) / divisor) / this.#forgetting
    this.#b = Math.max(-bound, Math.min(bound, covariance))
    this.#keepPositive(rowCount)
  }

  #weigh(error: number): number {
    const bound = OUTLIER_DEVIATIONS * this.#deviation
    const moved = DEVIATION_WEIGHT * (Math.min(error, bound) - this.#deviation)
    this.#deviation = Math.max(DEVIATION_MIN, this.#deviation + moved)
    return error <= bound || this.#sampleCount <= WARM_UP_SAMPLES ? 1 : bound / error
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
