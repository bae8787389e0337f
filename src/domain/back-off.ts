/** How long to wait after repeated failures. */
export interface BackOffPolicy {
  /** Failures that are followed by a retry at once. */
  readonly freeCount: number
  /** Wait after the first failure that is not free; doubles with each further one. */
  readonly firstDelayMs: number
  readonly delayMsMax: number
}

/** Failures in a row of one thing, and when it may be tried again. */
export interface BackOff {
  readonly failureCount: number
  readonly failedAtMs: number
  readonly notBeforeMs: number
}

/**
 * The back-off after one more failure; no previous one means that the thing had been well.
 *
 * With one free failure, 1 s and at most 60 s the waits are 0, 1, 2, 4, 8, 16, 32, 60, 60, … seconds.
 */
export function afterFailure(
  previous: BackOff | undefined,
  nowMs: number,
  policy: BackOffPolicy,
): BackOff {
  const failureCount = (previous?.failureCount ?? 0) + 1
  const delayMs = backOffDelayMs(failureCount, policy)
  return { failureCount, failedAtMs: nowMs, notBeforeMs: nowMs + delayMs }
}

/** Wait after so many failures in a row. */
export function backOffDelayMs(failureCount: number, policy: BackOffPolicy): number {
  const doublings = failureCount - policy.freeCount - 1
  if (doublings < 0) return 0
  // 2 ** 40 seconds is beyond every maximum; the cap keeps the product finite.
  return Math.min(policy.delayMsMax, policy.firstDelayMs * 2 ** Math.min(doublings, 40))
}
