import type { Endpoint } from '../../domain/endpoint.ts'
import type { Generation } from '../../domain/fleet.ts'
import { withCurrentCounts, withDesiredWeights } from './generation.ts'
import type { FleetsById } from './generation.ts'
import { decideProgress } from './progress.ts'
import type { Progress } from './progress.ts'
import type { ObservedEndpoint } from './observed.ts'

/** What the endpoint should become, and why if its status or generation changes. */
export interface Transition {
  readonly next: Endpoint
  readonly why: string | undefined
  readonly lookAgainAfterMs: number | undefined
}

type Observed = ObservedEndpoint & { readonly fleetsById: FleetsById }

/**
 * The only place where an endpoint's status, serving generation and deployment change after control wrote them.
 *
 * | status | deployment | progress | next status | serving | failure reason |
 * |---|---|---|---|---|---|
 * | Creating | create | ready | InService | green | – |
 * | Creating | create | failed | Failed | – | why |
 * | Updating | update | ready | InService | green | – |
 * | Updating | update | failed | InService | blue, as before | why |
 * | Updating | capacity | ready | InService | same, new weights | – |
 * | Updating | capacity | failed | RollingBack | as it was before | why |
 * | RollingBack | capacity | ready, or its window passed | InService | same | kept |
 * | any other | any | any | the same | the same | the same |
 *
 * Deployment is over (`undefined`) in every row that leads to InService or Failed.
 */
export function decideTransition(endpoint: Endpoint, observed: Observed): Transition {
  const { deployment, serving } = endpoint
  const { nowMs } = observed
  if (deployment === undefined) return unchanged(endpoint, undefined)
  const moving = deployment.kind === 'capacity' ? serving : deployment.green
  if (moving === undefined) return unchanged(endpoint, undefined)
  const progress = decideProgress(endpoint, moving, deployment.startedAtMs, observed)
  const done = { ...endpoint, deployment: undefined, modifiedAtMs: nowMs }
  if (endpoint.status === 'RollingBack') {
    if (progress.kind === 'waiting') return unchanged(endpoint, progress)
    // A rollback only takes back what was asked in vain: what served before serves still.
    const why = 'the counts and weights of before are back'
    return changed({ ...done, status: 'InService', serving: withDesiredWeights(moving) }, why)
  }
  switch (progress.kind) {
    case 'waiting':
      return unchanged(endpoint, progress)
    case 'ready': {
      const why = `all instances of config ${moving.configName} are ready`
      const { configName } = moving
      return changed(
        {
          ...done,
          status: 'InService',
          configName,
          serving: withDesiredWeights(moving),
          failureReason: undefined,
        },
        why,
      )
    }
    case 'failed': {
      const failureReason = progress.reason
      if (deployment.kind === 'create') {
        return changed({ ...done, status: 'Failed', failureReason }, failureReason)
      }
      if (deployment.kind === 'update') {
        return changed({ ...done, status: 'InService', failureReason }, failureReason)
      }
      const back: Endpoint = {
        ...done,
        status: 'RollingBack',
        serving: deployment.previous,
        deployment: { ...deployment, startedAtMs: nowMs },
        failureReason,
      }
      return changed(back, failureReason)
    }
  }
}

/** The endpoint with the instance counts just seen; the same object when they are recorded already. */
export function withObservedCounts(endpoint: Endpoint, fleetsById: FleetsById): Endpoint {
  const count = (generation: Generation): Generation =>
    withCurrentCounts(endpoint, generation, fleetsById)
  const { serving, deployment } = endpoint
  const nextServing = serving === undefined ? undefined : count(serving)
  const nextDeployment =
    deployment === undefined || deployment.kind === 'capacity'
      ? deployment
      : withGreen(deployment, count(deployment.green))
  if (nextServing === serving && nextDeployment === deployment) return endpoint
  return { ...endpoint, serving: nextServing, deployment: nextDeployment }
}

function withGreen<T extends { readonly green: Generation }>(deployment: T, green: Generation): T {
  return green === deployment.green ? deployment : { ...deployment, green }
}

function unchanged(endpoint: Endpoint, progress: Progress | undefined): Transition {
  const lookAgainAfterMs = progress?.kind === 'waiting' ? progress.lookAgainAfterMs : undefined
  return { next: endpoint, why: undefined, lookAgainAfterMs }
}

function changed(next: Endpoint, why: string): Transition {
  // The store announces the change, and the next plan begins from there.
  return { next, why, lookAgainAfterMs: undefined }
}
