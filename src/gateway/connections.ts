import { availableParallelism } from 'node:os'
import type { EndpointRoute, InstanceRoute } from '../domain/routes.ts'
import { FRAMES_VERSION } from '../wire/frames.ts'
import { FrameTransport } from './frames/frame-transport.ts'
import { createHttpTransport } from './http-transport.ts'
import type { Transport } from './transport.ts'

/** Bounds of the connections to instances, and what they speak. */
export interface ConnectionLimits {
  readonly slotsPerInstance: number
  /** `http` leaves frames unused, to compare the two. */
  readonly transport: 'frames' | 'http'
  /** `off` to sleep while the reply of a small model is awaited. */
  readonly polling: 'on' | 'off'
}

// A worker needs the core that a polling gateway would keep busy.
const HAS_CORE_TO_SPARE = availableParallelism() > 1

interface Entry {
  readonly framePaths: string
  readonly transport: Transport
}

/** Kept-alive connections to instances: by frames where an instance speaks them in our version, else by HTTP. */
export class Connections {
  readonly #entryByInstance = new Map<string, Entry>()
  readonly #limits: ConnectionLimits

  constructor(limits: ConnectionLimits) {
    this.#limits = limits
  }

  /** The transport to an instance; made at its first invocation. */
  find(instance: InstanceRoute): Transport {
    return this.#entryByInstance.get(instance.instanceId)?.transport ?? this.#add(instance)
  }

  /** Closes what leads to instances that have left the route; what is outstanding there ends first. */
  applyRoute(previous: EndpointRoute | undefined, next: EndpointRoute | undefined): void {
    const kept = new Map(instancesOf(next).map((instance) => [instance.instanceId, instance]))
    for (const { instanceId } of instancesOf(previous)) {
      const entry = this.#entryByInstance.get(instanceId)
      const instance = kept.get(instanceId)
      if (entry === undefined) continue
      if (instance !== undefined && this.#framePathsOf(instance) === entry.framePaths) continue
      this.#entryByInstance.delete(instanceId)
      entry.transport.close()
    }
  }

  /** Drops every connection. */
  async destroy(): Promise<void> {
    const entries = [...this.#entryByInstance.values()]
    this.#entryByInstance.clear()
    await Promise.all(entries.map(({ transport }) => transport.destroy()))
  }

  #add(instance: InstanceRoute): Transport {
    const framePaths = this.#framePathsOf(instance)
    const transport =
      framePaths === ''
        ? createHttpTransport(instance.address, this.#limits.slotsPerInstance)
        : new FrameTransport(framePaths.split('\n'), {
            firstWorker: process.pid,
            isPolling: this.#limits.polling === 'on' && HAS_CORE_TO_SPARE,
          })
    this.#entryByInstance.set(instance.instanceId, { framePaths, transport })
    return transport
  }

  /** Empty when the instance is to be spoken to by HTTP. */
  #framePathsOf({ frames }: InstanceRoute): string {
    if (this.#limits.transport === 'http' || frames?.version !== FRAMES_VERSION) return ''
    return frames.socketPaths.join('\n')
  }
}

function instancesOf(route: EndpointRoute | undefined): readonly InstanceRoute[] {
  return route?.variants.flatMap((variant) => variant.instances) ?? []
}
