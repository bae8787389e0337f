/** When a target that fails is left alone, and for how long. */
export interface BreakerPolicy {
  /** Failures in a row that open it. */
  readonly failureCount: number
  readonly openMs: number
}

/**
 * Leaves a target alone that has failed several times in a row.
 *
 * ```text
 * closed ── failureCount failures in a row ──► open ── openMs later ──► one call tries
 *    ▲                                           ▲                        │
 *    └──────────────── it succeeds ──────────────┼────── it fails ────────┘
 * ```
 *
 * While one call tries, others are refused: a target that comes back is not met by everyone who waited.
 */
export class CircuitBreaker {
  readonly #policy: BreakerPolicy
  #failureCount = 0
  #openUntilMs: number | undefined
  #isTrying = false

  constructor(policy: BreakerPolicy) {
    this.#policy = policy
  }

  /** Whether a call may be made now; if so, its outcome is to be told. */
  admit(nowMs: number): boolean {
    if (this.#openUntilMs === undefined) return true
    if (this.#isTrying || nowMs < this.#openUntilMs) return false
    this.#isTrying = true
    return true
  }

  /** How long calls are refused from now on; 0 while they are not. */
  openForMs(nowMs: number): number {
    return Math.max(0, (this.#openUntilMs ?? nowMs) - nowMs)
  }

  recordSuccess(): void {
    this.#failureCount = 0
    this.#openUntilMs = undefined
    this.#isTrying = false
  }

  recordFailure(nowMs: number): void {
    this.#failureCount += 1
    this.#isTrying = false
    if (this.#failureCount >= this.#policy.failureCount) {
      this.#openUntilMs = nowMs + this.#policy.openMs
    }
  }

  /** The caller left before there was an outcome. */
  recordNothing(): void {
    this.#isTrying = false
  }
}
