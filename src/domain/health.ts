/** What one `GET /ping` brought. */
export type PingOutcome =
  | {
      readonly kind: 'answered'
      readonly status: number
      readonly bodyStart: string
      /** What it says of frames; see `frames-address.ts`. */
      readonly framesHeader?: string | undefined
    }
  | { readonly kind: 'no-answer'; readonly reason: string }

/** Timing of health pings. */
export interface PingPolicy {
  /** Pings answered with 200 in a row until an instance counts as ready. */
  readonly goodCountMin: number
  /** Pings missed in a row until a ready instance counts as unhealthy. */
  readonly missCountMax: number
  readonly readyIntervalMs: number
  /** First wait while starting; grows with the time the start takes. */
  readonly startIntervalMs: number
  readonly startIntervalMsMax: number
  /** Wait between the good pings that lead to `ready`. */
  readonly confirmIntervalMs: number
}

/**
 * Timing as SageMaker documents it (every 5 s, start window per variant), with faster pings while starting.
 *
 * A single good ping is not believed: a container that answers once and then dies would put an endpoint in service.
 *
 * Source: SageMaker developer guide, container health check.
 */
export const PING_POLICY: PingPolicy = {
  goodCountMin: 3,
  missCountMax: 3,
  readyIntervalMs: 5_000,
  startIntervalMs: 20,
  startIntervalMsMax: 1_000,
  confirmIntervalMs: 40,
}

/**
 * Health of one instance as its pings show it.
 *
 * ```text
 * starting ─3 good in a row→ ready ─3 missed in a row→ unhealthy
 *     └─start window passed→ start-failed
 * ```
 */
export interface Health {
  readonly verdict: 'starting' | 'ready' | 'unhealthy' | 'start-failed'
  readonly goodCount: number
  readonly missCount: number
  /** The last ping that was not a 200, in words. */
  readonly lastMiss: string | undefined
  readonly startedAtMs: number
  readonly startWindowMs: number
}

/** Health of an instance that was just started. */
export function startingHealth(startedAtMs: number, startWindowMs: number): Health {
  return {
    verdict: 'starting',
    goodCount: 0,
    missCount: 0,
    lastMiss: undefined,
    startedAtMs,
    startWindowMs,
  }
}

/**
 * Health after one more ping.
 *
 * | verdict before | ping | verdict after |
 * |---|---|---|
 * | starting | 200, the third in a row | ready |
 * | starting | other, start window passed | start-failed |
 * | starting | otherwise | starting |
 * | ready | missed, the third in a row | unhealthy |
 * | ready | otherwise | ready |
 * | unhealthy, start-failed | any | the same: such an instance is replaced |
 */
export function afterPing(
  health: Health,
  outcome: PingOutcome,
  nowMs: number,
  policy: PingPolicy,
): Health {
  if (health.verdict === 'unhealthy' || health.verdict === 'start-failed') return health
  const isGood = outcome.kind === 'answered' && outcome.status === 200
  const goodCount = isGood ? health.goodCount + 1 : 0
  const missCount = isGood ? 0 : health.missCount + 1
  const lastMiss = isGood ? health.lastMiss : describeMiss(outcome)
  const next = { ...health, goodCount, missCount, lastMiss }
  if (health.verdict === 'ready') {
    return missCount >= policy.missCountMax ? { ...next, verdict: 'unhealthy' } : next
  }
  if (goodCount >= policy.goodCountMin) return { ...next, verdict: 'ready' }
  const isOverdue = nowMs - health.startedAtMs >= health.startWindowMs
  return isOverdue && !isGood ? { ...next, verdict: 'start-failed' } : next
}

/** How long to wait before the next ping. */
export function nextPingDelayMs(health: Health, nowMs: number, policy: PingPolicy): number {
  if (health.verdict !== 'starting') return policy.readyIntervalMs
  if (health.goodCount > 0) return policy.confirmIntervalMs
  // A tenth of the time passed: a start of 300 ms is seen at most ~30 ms late, one of a minute at most 1 s late.
  const elapsedMs = Math.max(0, nowMs - health.startedAtMs)
  const leftMs = Math.max(0, health.startWindowMs - elapsedMs)
  const delayMs = Math.max(policy.startIntervalMs, elapsedMs / 10)
  return Math.min(delayMs, policy.startIntervalMsMax, Math.max(policy.startIntervalMs, leftMs))
}

/** Why the verdict is `unhealthy` or `start-failed`, for people. */
export function describeHealth(health: Health): string {
  const last = health.lastMiss === undefined ? '' : `: ${health.lastMiss}`
  if (health.verdict === 'start-failed') {
    return `did not answer GET /ping with 200 within ${health.startWindowMs / 1000} s${last}`
  }
  return `did not answer GET /ping with 200 ${health.missCount} times in a row${last}`
}

function describeMiss(outcome: PingOutcome): string {
  if (outcome.kind === 'no-answer') return `no answer (${outcome.reason})`
  const body = outcome.bodyStart === '' ? '' : ` "${outcome.bodyStart}"`
  return `last answer ${outcome.status}${body}`
}
