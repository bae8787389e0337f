import type { EndpointRoute } from '../domain/routes.ts'
import type { ControlMessage, RouteSnapshot } from '../wire/link.ts'

/** Called with the route of one endpoint before and after a change; undefined where there was or is none. */
export type RouteListener = (
  previous: EndpointRoute | undefined,
  next: EndpointRoute | undefined,
) => void

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
  apply(message: ControlMessage): void {
    switch (message.kind) {
      case 'snapshot':
        this.applySnapshot(message)
        break
      case 'put':
        this.#replace(message.route.endpointName, message.route)
        break
      case 'remove':
        this.#replace(message.endpointName, undefined)
        break
    }
  }

  /** Replaces the whole table. */
  applySnapshot({ routes }: Pick<RouteSnapshot, 'routes'>): void {
    const next = new Map(routes.map((route) => [route.endpointName, route]))
    for (const name of new Set([...this.#routeByEndpoint.keys(), ...next.keys()])) {
      this.#replace(name, next.get(name))
    }
  }

  #replace(endpointName: string, next: EndpointRoute | undefined): void {
    const previous = this.#routeByEndpoint.get(endpointName)
    if (next === undefined) this.#routeByEndpoint.delete(endpointName)
    else this.#routeByEndpoint.set(endpointName, next)
    this.#listener(previous, next)
  }
}
