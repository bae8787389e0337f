import type { Endpoint } from '../../domain/endpoint.ts'
import type { EndpointEvent } from '../../domain/event.ts'
import type { FleetSpec } from '../../domain/fleet.ts'
import type { EndpointRoute } from '../../domain/routes.ts'
import type { ObservedEndpoint } from './observed.ts'

/** The one read and the writes that the endpoint loop may make. */
export interface EndpointWorld {
  observe(endpointName: string, signal: AbortSignal): Promise<ObservedEndpoint>
  applyFleet(spec: FleetSpec, count: number): Promise<void>
  removeFleet(fleetId: string): Promise<void>
  publishRoute(route: EndpointRoute): void
  withdrawRoute(endpointName: string): void
  /** @returns false when somebody else wrote since it was observed. */
  saveEndpoint(endpoint: Endpoint): Promise<boolean>
  /** @returns false when somebody else wrote since it was observed. */
  removeEndpoint(endpoint: Endpoint): Promise<boolean>
  recordEvent(event: EndpointEvent): Promise<void>
}
