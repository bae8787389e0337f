import type { Endpoint } from '../../domain/endpoint.ts'
import type { FleetVariant, Generation, ObservedFleet } from '../../domain/fleet.ts'
import { describeOverdue, describeStartFailure } from './failure-reason.ts'
import { findFleet, readyCountOf } from './generation.ts'
import type { FleetsById } from './generation.ts'
import type { ObservedEndpoint } from './observed.ts'

/** How far a generation is on its way to its desired counts. */
export type Progress =
  | { readonly kind: 'waiting'; readonly lookAgainAfterMs: number }
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly reason: string }

/** Changes are announced; this is only how late a deadline may be noticed. */
const LOOK_AGAIN_MS = 1_000

/** Added to what SageMaker allows, for the runtime's own steps and for saying what failed instead of "too late". */
const WINDOW_GRACE_MS = 30_000

/** How long a generation may take from its beginning until all instances are ready. */
export function deploymentWindowMs({ variants }: Generation): number {
  const windows = variants.map(
    ({ modelDataDownloadTimeoutMs, startupHealthTimeoutMs }) =>
      modelDataDownloadTimeoutMs + startupHealthTimeoutMs,
  )
  return Math.max(0, ...windows) + WINDOW_GRACE_MS
}

/**
 * Whether a generation is ready, has failed, or neither yet. Failure of any variant fails the generation.
 *
 * | fleet of a variant | verdict |
 * |---|---|
 * | the runtime knows the wish, so many are ready and have been for a while | ready |
 * | start failed for good, too often, or by the ping window | failed |
 * | deployment window passed | failed |
 * | otherwise | waiting |
 */
export function decideProgress(
  endpoint: Endpoint,
  generation: Generation,
  startedAtMs: number,
  observed: ObservedEndpoint & { readonly fleetsById: FleetsById },
): Progress {
  let lookAgainAfterMs = Infinity
  for (const variant of generation.variants) {
    const fleet = findFleet(observed.fleetsById, endpoint, generation, variant)
    const progress = decideVariant(variant, fleet, startedAtMs, {
      ...observed,
      windowMs: deploymentWindowMs(generation),
    })
    if (progress.kind === 'failed') return progress
    if (progress.kind === 'waiting') {
      lookAgainAfterMs = Math.min(lookAgainAfterMs, progress.lookAgainAfterMs)
    }
  }
  return lookAgainAfterMs === Infinity ? { kind: 'ready' } : { kind: 'waiting', lookAgainAfterMs }
}

function decideVariant(
  variant: FleetVariant,
  fleet: ObservedFleet | undefined,
  startedAtMs: number,
  { nowMs, settings, windowMs }: ObservedEndpoint & { readonly windowMs: number },
): Progress {
  const { desiredInstanceCount: desiredCount, variantName } = variant
  const readyCount = readyCountOf(fleet)
  const isTold = (fleet?.desiredInstanceCount ?? 0) === desiredCount
  if (isTold && readyCount >= desiredCount) {
    const steadyAtMs = Math.max(0, ...readyTimesOf(fleet)) + settings.steadyMs
    // Nothing to wait for when no instance is wanted.
    if (desiredCount === 0 || nowMs >= steadyAtMs) return { kind: 'ready' }
    return { kind: 'waiting', lookAgainAfterMs: steadyAtMs - nowMs }
  }
  const failure = fleet?.startFailure
  const isRecent = failure !== undefined && failure.atMs >= startedAtMs
  if (isRecent) {
    const isFinal =
      failure.permanent ||
      failure.cause === 'ping' ||
      failure.consecutiveCount >= settings.startAttemptsMax
    if (isFinal) return { kind: 'failed', reason: describeStartFailure(variantName, failure) }
  }
  if (nowMs - startedAtMs < windowMs) return { kind: 'waiting', lookAgainAfterMs: LOOK_AGAIN_MS }
  const counts = { readyCount, desiredCount }
  const reason = describeOverdue(variantName, counts, windowMs, isRecent ? failure : undefined)
  return { kind: 'failed', reason }
}

function readyTimesOf(fleet: ObservedFleet | undefined): readonly number[] {
  const ready = fleet?.instances.filter(({ state }) => state === 'ready') ?? []
  return ready.map(({ readyAtMs }) => readyAtMs ?? 0)
}
