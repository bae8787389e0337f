import type { EndpointRoute } from '../../domain/routes.ts'
import type { Clock } from '../../ports/clock.ts'
import type { FleetRuntime } from '../../ports/fleet-runtime.ts'
import type { Gateways } from '../../ports/gateways.ts'
import type { Store } from '../../ports/store.ts'
import type { EndpointSettings } from './observed.ts'
import type { EndpointWorld } from './world.ts'

/** The ports that an endpoint's world is seen and changed through. */
export interface EndpointPorts {
  readonly store: Store
  readonly runtime: FleetRuntime
  readonly gateways: Gateways
  readonly clock: Clock
  readonly settings: EndpointSettings
}

/** The world of the endpoint loop, made from the ports. Remembers what it published, to publish changes only. */
export function createEndpointWorld(ports: EndpointPorts): EndpointWorld {
  const { store, runtime, gateways, clock, settings } = ports
  const publishedByName = new Map<string, EndpointRoute>()
  return {
    async observe(endpointName) {
      const [found, fleets] = await Promise.all([
        store.findEndpoint(endpointName),
        runtime.observeFleets(endpointName),
      ])
      const publishedRoute = publishedByName.get(endpointName)
      return {
        endpointName,
        // The store looks up without regard to case; one spelled otherwise is another key's business.
        endpoint: found?.name === endpointName ? found : undefined,
        fleets,
        publishedRoute,
        isRouted:
          publishedRoute !== undefined || gateways.routedEndpointNames().includes(endpointName),
        nowMs: clock.nowMs(),
        settings,
      }
    },
    applyFleet: (spec, count) => runtime.applyFleet(spec, count),
    removeFleet: (fleetId) => runtime.removeFleet(fleetId),
    publishRoute(route) {
      gateways.publishRoute(route)
      publishedByName.set(route.endpointName, route)
    },
    withdrawRoute(endpointName) {
      gateways.withdrawRoute(endpointName)
      publishedByName.delete(endpointName)
    },
    async saveEndpoint(endpoint) {
      // Whoever reads the new status may invoke at once, through any gateway.
      await gateways.settled()
      return store.saveEndpoint(endpoint)
    },
    removeEndpoint: ({ name, revision }) => store.removeEndpoint(name, revision),
    recordEvent: (event) => store.recordEvent(event),
  }
}
