import { takesInvocations } from '../../domain/endpoint.ts'
import type { Endpoint } from '../../domain/endpoint.ts'
import type { EndpointEvent } from '../../domain/event.ts'
import { fleetIdOf } from '../../domain/fleet.ts'
import type { FleetSpec, Generation, ObservedFleet } from '../../domain/fleet.ts'
import type { EndpointRoute } from '../../domain/routes.ts'
import { fleetSpecOf, routeOf } from './generation.ts'
import type { FleetsById } from './generation.ts'
import type { ObservedEndpoint } from './observed.ts'
import { decideTransition, withObservedCounts } from './transition.ts'

/** One step of an endpoint. `save-endpoint` is the only one that writes a status. */
export type EndpointAction =
  | { readonly kind: 'apply-fleet'; readonly spec: FleetSpec; readonly count: number }
  | { readonly kind: 'remove-fleet'; readonly fleetId: string }
  | { readonly kind: 'publish-route'; readonly route: EndpointRoute }
  | { readonly kind: 'withdraw-route' }
  | { readonly kind: 'save-endpoint'; readonly endpoint: Endpoint }
  | { readonly kind: 'remove-endpoint'; readonly endpoint: Endpoint }
  | { readonly kind: 'record-event'; readonly event: EndpointEvent }

/** Steps in order, and when to look again if nothing is announced before. */
export interface EndpointPlan {
  readonly actions: readonly EndpointAction[]
  readonly requeueAfterMs: number | undefined
}

/** Ending fleets announce themselves; this is for announcements that were lost. */
const LOOK_AGAIN_WHILE_ENDING_MS = 1_000

/**
 * What must happen for the world to match the endpoint's record. Pure: the same world gives the same plan, and a
 * world that matches gives an empty one.
 *
 * The order is what makes each step safe to be the last before a crash: instances before the route to them, the route
 * before the status that promises it, the status before anything it no longer needs is ended.
 */
export function planEndpoint(observed: ObservedEndpoint): EndpointPlan {
  const { endpoint } = observed
  if (endpoint === undefined || endpoint.status === 'Deleting') return planEnd(observed, endpoint)
  const fleetsById = new Map(observed.fleets.map((fleet) => [fleet.fleetId, fleet]))
  const counted = withObservedCounts(endpoint, fleetsById)
  const { next, why, lookAgainAfterMs } = decideTransition(counted, { ...observed, fleetsById })
  const wanted = wantedGenerations(endpoint)
  const actions = [
    ...wanted.flatMap((generation) => planFleets(endpoint, generation, fleetsById)),
    ...planRoute(next, observed, fleetsById),
    ...planStatus(endpoint, next, why, observed.nowMs),
    ...planLeftovers(endpoint, wanted, observed.fleets),
  ]
  return { actions, requeueAfterMs: lookAgainAfterMs }
}

// Route first: an instance is ended only when no gateway uses it any more. The record goes last, so that a crash
// before leaves an endpoint that is still being deleted.
function planEnd(observed: ObservedEndpoint, endpoint: Endpoint | undefined): EndpointPlan {
  const { fleets, isRouted } = observed
  const actions: EndpointAction[] = []
  if (isRouted) actions.push({ kind: 'withdraw-route' })
  actions.push(...fleets.flatMap(planRemoval))
  if (fleets.length === 0 && endpoint !== undefined) {
    actions.push({ kind: 'remove-endpoint', endpoint })
  }
  return { actions, requeueAfterMs: fleets.length === 0 ? undefined : LOOK_AGAIN_WHILE_ENDING_MS }
}

function wantedGenerations({ status, serving, deployment }: Endpoint): readonly Generation[] {
  if (status === 'Failed') return []
  const green = deployment !== undefined && deployment.kind !== 'capacity' && deployment.green
  return [...(serving === undefined ? [] : [serving]), ...(green === false ? [] : [green])]
}

function planFleets(
  endpoint: Endpoint,
  generation: Generation,
  fleetsById: FleetsById,
): readonly EndpointAction[] {
  return generation.variants.flatMap((variant) => {
    const spec = fleetSpecOf(endpoint, generation, variant)
    const count = variant.desiredInstanceCount
    const told = fleetsById.get(spec.fleetId)?.desiredInstanceCount ?? 0
    return told === count ? [] : [{ kind: 'apply-fleet' as const, spec, count }]
  })
}

function planRoute(
  next: Endpoint,
  { isRouted, publishedRoute }: ObservedEndpoint,
  fleetsById: FleetsById,
): readonly EndpointAction[] {
  if (next.serving === undefined || !takesInvocations(next.status)) {
    return isRouted ? [{ kind: 'withdraw-route' }] : []
  }
  const route = routeOf(next, next.serving, fleetsById)
  const isPublished = isRouted && JSON.stringify(route) === JSON.stringify(publishedRoute)
  return isPublished ? [] : [{ kind: 'publish-route', route }]
}

function planStatus(
  endpoint: Endpoint,
  next: Endpoint,
  why: string | undefined,
  nowMs: number,
): readonly EndpointAction[] {
  if (next === endpoint) return []
  const save: EndpointAction = { kind: 'save-endpoint', endpoint: next }
  if (why === undefined) return [save]
  const kind = next.failureReason === undefined ? 'status-changed' : 'deployment-failed'
  const event: EndpointEvent = {
    atMs: nowMs,
    endpointName: endpoint.name,
    kind: endpoint.status === 'RollingBack' ? 'status-changed' : kind,
    reason: `Endpoint ${endpoint.name} went from ${endpoint.status} to ${next.status}: ${why}`,
    inputs: {
      from: endpoint.status,
      to: next.status,
      generationBefore: endpoint.serving?.number,
      generation: next.serving?.number,
      instanceCounts: Object.fromEntries(
        (next.serving?.variants ?? []).map((variant) => [
          variant.variantName,
          variant.currentInstanceCount,
        ]),
      ),
    },
  }
  return [save, { kind: 'record-event', event }]
}

// Of earlier generations, of a failed deployment, or of an endpoint that bore the name before.
function planLeftovers(
  { endpointId }: Endpoint,
  wanted: readonly Generation[],
  fleets: readonly ObservedFleet[],
): readonly EndpointAction[] {
  const wantedIds = new Set(
    wanted.flatMap(({ number, variants }) =>
      variants.map(({ variantName }) => fleetIdOf(endpointId, number, variantName)),
    ),
  )
  return fleets.filter(({ fleetId }) => !wantedIds.has(fleetId)).flatMap(planRemoval)
}

function planRemoval({ fleetId, desiredInstanceCount }: ObservedFleet): readonly EndpointAction[] {
  return desiredInstanceCount === 0 ? [] : [{ kind: 'remove-fleet', fleetId }]
}
