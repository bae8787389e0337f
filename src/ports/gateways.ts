import type { EndpointRoute } from '../domain/routes.ts'

/** What control tells the gateway processes and hears from them. */
export interface Gateways {
  /** Replaces the route of one endpoint in every gateway; does nothing when it is the same already. */
  publishRoute(route: EndpointRoute): void

  /** Removes an endpoint from every gateway: new invocations get "not found". */
  withdrawRoute(endpointName: string): void

  /**
   * Resolves when every connected gateway has applied every change so far, or after a bounded wait: a gateway that
   * hangs must not hold up the others.
   */
  settled(): Promise<void>

  /** Names that are routed now. */
  routedEndpointNames(): readonly string[]

  /**
   * Whether every live gateway has dropped the instance from its table and has no invocation outstanding on it, so
   * that stopping it loses nothing.
   */
  isDrained(instanceId: string): boolean
}
