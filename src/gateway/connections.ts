import Pool from 'undici/lib/dispatcher/pool.js'
import type { Dispatcher } from 'undici'

import type { EndpointRoute, InstanceRoute } from '../domain/routes.ts'

// Source: SageMaker developer guide: a container accepts a connection within 250 ms. On a busy machine the connection
// is accepted by the kernel and the time is lost before it, hence the margin.
const CONNECT_TIMEOUT_MS = 1_000

/** Kept-alive connections to instances, one pool for each. */
export class Connections {
  readonly #poolByInstance = new Map<string, Dispatcher>()
  readonly #connectionsPerInstance: number

  /** @param connectionsPerInstance as many as an instance has slots, so that a pool never queues. */
  constructor(connectionsPerInstance: number) {
    this.#connectionsPerInstance = connectionsPerInstance
  }

  /** The pool of an instance; made at its first invocation. */
  find(instance: InstanceRoute): Dispatcher {
    const known = this.#poolByInstance.get(instance.instanceId)
    if (known !== undefined) return known
    const pool = this.#createPool(instance)
    this.#poolByInstance.set(instance.instanceId, pool)
    return pool
  }

  /** Closes the pools of instances that have left the route; what is outstanding on them ends first. */
  applyRoute(previous: EndpointRoute | undefined, next: EndpointRoute | undefined): void {
    const kept = new Set(instancesOf(next).map(({ instanceId }) => instanceId))
    for (const { instanceId } of instancesOf(previous)) {
      if (kept.has(instanceId)) continue
      const pool = this.#poolByInstance.get(instanceId)
      this.#poolByInstance.delete(instanceId)
      // Closing fails only when it is closed already.
      pool?.close().catch(() => undefined)
    }
  }

  /** Drops every connection. */
  async destroy(): Promise<void> {
    const pools = [...this.#poolByInstance.values()]
    this.#poolByInstance.clear()
    await Promise.all(pools.map((pool) => pool.destroy()))
  }

  #createPool({ address }: InstanceRoute): Dispatcher {
    const common = {
      connections: this.#connectionsPerInstance,
      connect: { timeout: CONNECT_TIMEOUT_MS },
      // Deadlines are the invocation's own; undici's would answer with other errors.
      headersTimeout: 0,
      bodyTimeout: 0,
    }
    if (address.kind === 'tcp') {
      const host = address.host.includes(':') ? `[${address.host}]` : address.host
      return new Pool(`http://${host}:${address.port}`, common)
    }
    const connect = { ...common.connect, socketPath: address.path }
    return new Pool('http://localhost', { ...common, connect })
  }
}

function instancesOf(route: EndpointRoute | undefined): readonly InstanceRoute[] {
  return route?.variants.flatMap((variant) => variant.instances) ?? []
}
