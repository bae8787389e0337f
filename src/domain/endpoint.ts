import type { Generation } from './fleet.ts'
import type { JsonObject } from './json.ts'

/**
 * Statuses an endpoint passes through here, of those SageMaker defines.
 *
 * ```text
 * CreateEndpoint → Creating ─ready→ InService ─DeleteEndpoint→ Deleting → gone
 *                     └─failed→ Failed ─DeleteEndpoint→ Deleting
 * InService ─UpdateEndpoint / UpdateEndpointWeightsAndCapacities→ Updating ─ready→ InService
 * Updating ─new generation fails→ InService (old generation, FailureReason set)
 * Updating ─new capacity fails→ RollingBack → InService
 * ```
 *
 * Source: SageMaker API reference, DescribeEndpoint `EndpointStatus`.
 */
export const ENDPOINT_STATUSES = [
  'OutOfService',
  'Creating',
  'Updating',
  'SystemUpdating',
  'RollingBack',
  'InService',
  'Deleting',
  'Failed',
  'UpdateRollbackFailed',
] as const

/** One of {@link ENDPOINT_STATUSES}. */
export type EndpointStatus = (typeof ENDPOINT_STATUSES)[number]

/** A change on its way from one generation, or one set of counts and weights, to the next. */
export type Deployment =
  /** The first generation of a new endpoint. */
  | { readonly kind: 'create'; readonly green: Generation; readonly startedAtMs: number }
  /** A new generation beside the serving one (UpdateEndpoint). */
  | { readonly kind: 'update'; readonly green: Generation; readonly startedAtMs: number }
  /** Counts and weights of the serving generation (UpdateEndpointWeightsAndCapacities). */
  | { readonly kind: 'capacity'; readonly previous: Generation; readonly startedAtMs: number }

/** The name clients invoke. */
export interface Endpoint {
  readonly name: string
  readonly arn: string
  /** Unique for ever, unlike the name; random lower-case hex, 12 characters. */
  readonly endpointId: string
  readonly createdAtMs: number
  readonly modifiedAtMs: number
  readonly status: EndpointStatus
  readonly failureReason: string | undefined
  /** Config of the serving generation; of the failed one when the endpoint never served. */
  readonly configName: string
  /** The generation that takes the traffic. */
  readonly serving: Generation | undefined
  readonly deployment: Deployment | undefined
  /** Number of the newest generation; the next deployment takes the one after. */
  readonly lastGeneration: number
  /** `DeploymentConfig` most recently given, in wire spelling. */
  readonly lastDeploymentConfig: JsonObject | undefined
  /** Counts every write; a write names the revision it saw. */
  readonly revision: number
}

/** Whether UpdateEndpoint, UpdateEndpointWeightsAndCapacities and DeleteEndpoint must be refused for now. */
export function isInProgress(status: EndpointStatus): boolean {
  return (
    status === 'Creating' ||
    status === 'Updating' ||
    status === 'RollingBack' ||
    status === 'SystemUpdating' ||
    status === 'Deleting'
  )
}

/**
 * Whether invocations are accepted.
 *
 * Source: SageMaker developer guide: traffic keeps flowing while an endpoint is updated or rolled back.
 */
export function takesInvocations(status: EndpointStatus): boolean {
  return (
    status === 'InService' ||
    status === 'Updating' ||
    status === 'RollingBack' ||
    status === 'SystemUpdating'
  )
}
