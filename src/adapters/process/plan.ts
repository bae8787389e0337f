import type { BackOff } from '../../domain/back-off.ts'

/**
 * Life of an instance in this runtime: `preparing` (model data) → `starting` (process runs, no good pings yet) →
 * `ready` → `draining` (out of routing) → `terminating` (SIGTERM sent) → `killing` (SIGKILL sent) → gone;
 * `unhealthy` from `starting` or `ready`, always followed by `draining`.
 */
export type Phase =
  'preparing' | 'starting' | 'ready' | 'unhealthy' | 'draining' | 'terminating' | 'killing'

/** What the plan needs to know of one instance. */
export interface InstanceView {
  readonly instanceId: string
  /** Which of the fleet's instances it is, from 0; a replacement takes the ordinal of what it replaces. */
  readonly ordinal: number
  readonly phase: Phase
  readonly phaseSinceMs: number
  readonly startedAtMs: number
  /** No leader runs: it exited, could not be started, or is not started yet and no longer wanted. */
  readonly hasEnded: boolean
  /** Nothing of its process group or with its marker runs any more. */
  readonly isGroupEmpty: boolean
  /** No gateway uses it. */
  readonly isDrained: boolean
}

/** What the plan needs to know of one fleet. */
export interface FleetView {
  readonly desiredCount: number
  readonly instances: readonly InstanceView[]
  readonly backOffByOrdinal: ReadonlyMap<number, BackOff>
}

/** Times the plan keeps. */
export interface PlanTimes {
  readonly drainMsMax: number
  readonly terminateMsMax: number
  readonly steadyMs: number
  readonly stopPollMs: number
}

/** One step of a fleet. */
export type Action =
  | { readonly kind: 'start'; readonly ordinal: number }
  | { readonly kind: 'drain'; readonly instanceId: string; readonly reason: DrainReason }
  | { readonly kind: 'terminate'; readonly instanceId: string }
  | { readonly kind: 'kill'; readonly instanceId: string }
  | { readonly kind: 'remove'; readonly instanceId: string }
  /** Forget the failures before an instance that has been ready for a while. */
  | { readonly kind: 'settle'; readonly instanceId: string }

/** Why an instance is taken out of routing. */
export type DrainReason = 'surplus' | 'unhealthy'

/** Steps, and when to look again if nothing happens before. */
export interface FleetPlan {
  readonly actions: readonly Action[]
  readonly lookAgainAfterMs: number | undefined
}

/** What must happen for a fleet to match the wish. Pure: the same view gives the same plan. */
export function planFleet(fleet: FleetView, nowMs: number, times: PlanTimes): FleetPlan {
  const kept = fleet.instances.filter(isKept)
  const surplus = chooseSurplus(kept, kept.length - fleet.desiredCount)
  const waits: number[] = []
  const stops = fleet.instances.flatMap((instance) => planStop(instance, nowMs, times, waits))
  const actions = [
    ...stops.filter(({ kind }) => kind !== 'kill'),
    ...surplus.map(({ instanceId }): Action => ({ kind: 'drain', instanceId, reason: 'surplus' })),
    ...planStarts(fleet, kept, nowMs, waits),
    ...planSettling(fleet, kept, nowMs, { steadyMs: times.steadyMs, waits }),
    // Last: a kill looks through all processes of the machine, and a replacement must not wait for that.
    ...stops.filter(({ kind }) => kind === 'kill'),
  ]
  return { actions, lookAgainAfterMs: waits.length === 0 ? undefined : Math.min(...waits) }
}

function isKept({ phase, hasEnded }: InstanceView): boolean {
  return !hasEnded && (phase === 'preparing' || phase === 'starting' || phase === 'ready')
}

// Those that serve nobody yet go first, then the youngest.
function chooseSurplus(kept: readonly InstanceView[], count: number): readonly InstanceView[] {
  if (count <= 0) return []
  const isServing = (instance: InstanceView): number => (instance.phase === 'ready' ? 1 : 0)
  return kept
    .toSorted((a, b) => isServing(a) - isServing(b) || b.startedAtMs - a.startedAtMs)
    .slice(0, count)
}

function planStop(
  instance: InstanceView,
  nowMs: number,
  times: PlanTimes,
  waits: number[],
): readonly Action[] {
  const { instanceId, phase, phaseSinceMs } = instance
  const elapsedMs = nowMs - phaseSinceMs
  if (instance.hasEnded) {
    if (instance.isGroupEmpty) return [{ kind: 'remove', instanceId }]
    waits.push(times.stopPollMs)
    return [{ kind: 'kill', instanceId }]
  }
  switch (phase) {
    case 'preparing':
    case 'starting':
    case 'ready':
      return []
    case 'unhealthy':
      return [{ kind: 'drain', instanceId, reason: 'unhealthy' }]
    case 'draining':
      if (instance.isDrained || elapsedMs >= times.drainMsMax) {
        return [{ kind: 'terminate', instanceId }]
      }
      break
    case 'terminating':
      if (elapsedMs >= times.terminateMsMax) return [{ kind: 'kill', instanceId }]
      break
    case 'killing':
      break
  }
  waits.push(times.stopPollMs)
  return []
}

function planStarts(
  fleet: FleetView,
  kept: readonly InstanceView[],
  nowMs: number,
  waits: number[],
): readonly Action[] {
  const taken = new Set(kept.map(({ ordinal }) => ordinal))
  const missingCount = Math.max(0, fleet.desiredCount - kept.length)
  const actions: Action[] = []
  for (let ordinal = 0, found = 0; found < missingCount; ordinal += 1) {
    if (taken.has(ordinal)) continue
    found += 1
    const waitMs = (fleet.backOffByOrdinal.get(ordinal)?.notBeforeMs ?? nowMs) - nowMs
    if (waitMs > 0) waits.push(waitMs)
    else actions.push({ kind: 'start', ordinal })
  }
  return actions
}

function planSettling(
  fleet: FleetView,
  kept: readonly InstanceView[],
  nowMs: number,
  { steadyMs, waits }: { readonly steadyMs: number; readonly waits: number[] },
): readonly Action[] {
  const actions: Action[] = []
  for (const { instanceId, phase, phaseSinceMs, startedAtMs, ordinal } of kept) {
    const backOff = fleet.backOffByOrdinal.get(ordinal)
    if (phase !== 'ready' || backOff === undefined || startedAtMs < backOff.failedAtMs) continue
    const waitMs = phaseSinceMs + steadyMs - nowMs
    if (waitMs > 0) waits.push(waitMs)
    else actions.push({ kind: 'settle', instanceId })
  }
  return actions
}
