import type { EndpointAction } from './plan.ts'
import type { EndpointWorld } from './world.ts'

/**
 * Carries out one step.
 *
 * @returns false when the endpoint was written by somebody else meanwhile: the rest of the plan is out of date.
 */
export async function applyAction(
  endpointName: string,
  action: EndpointAction,
  world: EndpointWorld,
): Promise<boolean> {
  switch (action.kind) {
    case 'apply-fleet':
      await world.applyFleet(action.spec, action.count)
      return true
    case 'remove-fleet':
      await world.removeFleet(action.fleetId)
      return true
    case 'publish-route':
      world.publishRoute(action.route)
      return true
    case 'withdraw-route':
      world.withdrawRoute(endpointName)
      return true
    case 'save-endpoint':
      return world.saveEndpoint(action.endpoint)
    case 'remove-endpoint':
      return world.removeEndpoint(action.endpoint)
    case 'record-event':
      await world.recordEvent(action.event)
      return true
  }
}
