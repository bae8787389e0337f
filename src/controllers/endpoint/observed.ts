import type { Endpoint } from '../../domain/endpoint.ts'
import type { ObservedFleet } from '../../domain/fleet.ts'
import type { EndpointRoute } from '../../domain/routes.ts'

/** Bounds of deployments. */
export interface EndpointSettings {
  /** Failed starts in a row of one variant after which its deployment fails. */
  readonly startAttemptsMax: number
  /** How long every instance must have stayed ready before a deployment counts as done. */
  readonly steadyMs: number
}

/** Everything the plan for one endpoint is made from. */
export interface ObservedEndpoint {
  readonly endpointName: string
  /** `undefined` when there is no endpoint of this name (any more). */
  readonly endpoint: Endpoint | undefined
  /** Every fleet that bears the endpoint's name, those of earlier generations and endpoints included. */
  readonly fleets: readonly ObservedFleet[]
  readonly isRouted: boolean
  /** What this control last published; `undefined` when it did not, though an earlier one may have. */
  readonly publishedRoute: EndpointRoute | undefined
  readonly nowMs: number
  readonly settings: EndpointSettings
}
