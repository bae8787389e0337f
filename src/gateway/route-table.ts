import type { EndpointRoute } from '../domain/routes.ts'
import type { ControlMessage, RouteSnapshot } from '../wire/link.ts'

/** Called with the route of one endpoint before and after a change; undefined where there was or is none. */
export type RouteListener = (
  previous: EndpointRoute | undefined,
  next: EndpointRoute | undefined,
) => void

/** What a change of the table did. */
export interface AppliedChange {
  /** Instances that no route names any more. */
  readonly leftInstanceIds: readonly string[]
}

/** Every endpoint this gateway serves, in memory: no look-up leaves the process while an invocation waits. */
export class RouteTable {
  readonly #routeByEndpoint = new Map<string, EndpointRoute>()
  readonly #listener: RouteListener

  constructor(listener: RouteListener) {
    this.#listener = listener
  }

  /** @param endpointName matched with regard to case, as SageMaker does. */
  find(endpointName: string): EndpointRoute | undefined {
    return this.#routeByEndpoint.get(endpointName)
  }

  get endpointCount(): number {
    return this.#routeByEndpoint.size
  }

  /** Takes over a message from control. */
  apply(message: ControlMessage): AppliedChange {
    switch (message.kind) {
      case 'snapshot':
        return this.applySnapshot(message)
      case 'put':
        return this.#replace(message.route.endpointName, message.route)
      case 'remove':
        return this.#replace(message.endpointName, undefined)
    }
  }

  /** Replaces the whole table. */
  applySnapshot({ routes }: Pick<RouteSnapshot, 'routes'>): AppliedChange {
    const next = new Map(routes.map((route) => [route.endpointName, route]))
    const names = new Set([...this.#routeByEndpoint.keys(), ...next.keys()])
    const leftInstanceIds: string[] = []
    for (const name of names) {
      leftInstanceIds.push(...this.#replace(name, next.get(name)).leftInstanceIds)
    }
    return { leftInstanceIds }
  }

  #replace(endpointName: string, next: EndpointRoute | undefined): AppliedChange {
    const previous = this.#routeByEndpoint.get(endpointName)
    if (next === undefined) this.#routeByEndpoint.delete(endpointName)
    else this.#routeByEndpoint.set(endpointName, next)
    this.#listener(previous, next)
    const kept = new Set(instanceIdsOf(next))
    return { leftInstanceIds: instanceIdsOf(previous).filter((id) => !kept.has(id)) }
  }
}

function instanceIdsOf(route: EndpointRoute | undefined): readonly string[] {
  if (route === undefined) return []
  return route.variants.flatMap((variant) => variant.instances.map(({ instanceId }) => instanceId))
}
