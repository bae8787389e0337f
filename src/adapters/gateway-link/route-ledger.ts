import { containerRoutesOf } from '../../domain/routes.ts'
import type { EndpointRoute } from '../../domain/routes.ts'
import type { ControlMessage, RouteSnapshot } from '../../wire/link.ts'

/** The route table with a version for each change, and when each instance left it. No I/O. */
export class RouteLedger {
  readonly #routeByEndpoint = new Map<string, EndpointRoute>()
  /** Instances that left, in the order of their versions. */
  readonly #leftAtVersion = new Map<string, number>()
  readonly #firstVersion: number
  #version: number

  /** @param initial what gateways may still be serving from: the snapshot of an earlier control process. */
  constructor(initial: RouteSnapshot | undefined) {
    for (const route of initial?.routes ?? []) this.#routeByEndpoint.set(route.endpointName, route)
    this.#firstVersion = (initial?.version ?? 0) + 1
    this.#version = this.#firstVersion
  }

  get version(): number {
    return this.#version
  }

  snapshot(): RouteSnapshot {
    return { version: this.#version, routes: [...this.#routeByEndpoint.values()] }
  }

  endpointNames(): readonly string[] {
    return [...this.#routeByEndpoint.keys()]
  }

  /** @returns the change, or undefined when the route is the same already. */
  put(route: EndpointRoute): ControlMessage | undefined {
    const previous = this.#routeByEndpoint.get(route.endpointName)
    if (previous !== undefined && JSON.stringify(previous) === JSON.stringify(route))
      return undefined
    this.#version += 1
    this.#routeByEndpoint.set(route.endpointName, route)
    this.#recordLeft(instanceIdsOf(previous), new Set(instanceIdsOf(route)))
    return { kind: 'put', version: this.#version, route }
  }

  /** @returns the change, or undefined when the endpoint is not routed. */
  remove(endpointName: string): ControlMessage | undefined {
    const previous = this.#routeByEndpoint.get(endpointName)
    if (previous === undefined) return undefined
    this.#version += 1
    this.#routeByEndpoint.delete(endpointName)
    this.#recordLeft(instanceIdsOf(previous), new Set())
    return { kind: 'remove', version: this.#version, endpointName }
  }

  /**
   * The version from which on a gateway cannot choose the instance any more, or undefined while it is routed.
   *
   * An instance that this process never saw routed left before its first version.
   */
  leftAtVersion(instanceId: string): number | undefined {
    const version = this.#leftAtVersion.get(instanceId)
    if (version !== undefined) return version
    for (const route of this.#routeByEndpoint.values()) {
      if (instanceIdsOf(route).includes(instanceId)) return undefined
    }
    return this.#firstVersion
  }

  /** Forgets when instances left, once every gateway has applied that version: the first version then says enough. */
  forgetUpTo(version: number): void {
    for (const [instanceId, leftAt] of this.#leftAtVersion) {
      if (leftAt > version) return
      this.#leftAtVersion.delete(instanceId)
    }
  }

  #recordLeft(before: readonly string[], after: ReadonlySet<string>): void {
    for (const instanceId of after) this.#leftAtVersion.delete(instanceId)
    for (const instanceId of before) {
      if (!after.has(instanceId)) this.#leftAtVersion.set(instanceId, this.#version)
    }
  }
}

function instanceIdsOf(route: EndpointRoute | undefined): readonly string[] {
  return containerRoutesOf(route).map(({ instanceId }) => instanceId)
}
